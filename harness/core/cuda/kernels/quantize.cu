// Activations to int8, once per token: codes int8 [T, K] and scales float [T, K/32], as docs/numerics.md says.
// Launch: one warp per block of 32; grid (ceil(T K / 32 / 8)), 256 threads. Reference: quantized_activations; exact.
#include "gpu.cuh"

extern "C" __global__ void quantize(const float* __restrict__ x, int8_t* __restrict__ codes, float* __restrict__ scales,
                                    int n_blocks) {
    const int block = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (block >= n_blocks) return;
    const float value = x[static_cast<size_t>(block) * 32 + lane];
    float largest = fabsf(value);
    for (int distance = 16; distance > 0; distance /= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(FULL_MASK, largest, distance));
    }
    const float inverse = largest > 0.0f ? __fdiv_rn(127.0f, largest) : 0.0f;
    codes[static_cast<size_t>(block) * 32 + lane] = static_cast<int8_t>(__float2int_rn(__fmul_rn(value, inverse)));
    if (lane == 0) scales[block] = __fdiv_rn(largest, 127.0f);
}
LAUNCHABLE(quantize)
