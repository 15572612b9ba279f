// How many int8 products tensor cores make when nothing holds them up: every warp multiplies registers with registers, in
// eight chains that do not wait for each other. x: one word of four codes for every fragment; y int [blocks * 256]: each
// thread's sums, so that no product is left out. A round is 8 * 16 * 8 * 32 products a warp.
// Launch: grid (blocks), 256 threads. A limit, no operation: tests compare the sums with their count.
#include "gpu.cuh"

constexpr int chains = 8;

extern "C" __global__ void __launch_bounds__(256)
    multiply_registers(const uint32_t* __restrict__ x, int rounds, int* __restrict__ y) {
    const uint32_t word = *x, a[4] = {word, word, word, word}, b[2] = {word, word};
    int sums[chains][4] = {};
    for (int round = 0; round < rounds; round++) {
#pragma unroll
        for (int chain = 0; chain < chains; chain++) mma_s8_16832(sums[chain], a, b);
    }
    int total = 0;
#pragma unroll
    for (int chain = 0; chain < chains; chain++) {
#pragma unroll
        for (int i = 0; i < 4; i++) total += sums[chain][i];
    }
    y[static_cast<size_t>(blockIdx.x) * 256 + threadIdx.x] = total;
}
LAUNCHABLE(multiply_registers)
