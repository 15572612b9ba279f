// Activations to int8, once per token: codes int8 [T, K] and scales float [T, K/32], as docs/numerics.md says.
// Launch: one warp per block of 32; grid (ceil(T K / 32 / 8)), 256 threads. Reference: quantized_activations; exact.
#include "arithmetic.cuh"

extern "C" __global__ void quantize(const float* __restrict__ x, int8_t* __restrict__ codes, float* __restrict__ scales,
                                    int n_blocks) {
    const int block = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (block >= n_blocks) return;
    const Quantized number = quantized(x[static_cast<size_t>(block) * 32 + lane]);
    codes[static_cast<size_t>(block) * 32 + lane] = number.code;
    if (lane == 0) scales[block] = number.scale;
}
LAUNCHABLE(quantize)
