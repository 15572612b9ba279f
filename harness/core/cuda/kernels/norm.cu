// RMS norm of rows of `n` numbers: y = x / sqrt(mean(x^2) + eps) * weight. Reference: rms_norm; exact.
//
// The sum of squares is eight chains of fused multiply-adds, so that only eight threads can add at a time. They add from
// shared memory, where 128 threads have put the row.
#include "norm.cuh"

constexpr int staged = 4096;

// Rows [T, n], to `y`, to `codes` and `scales` as quantize.cu would make them of it, or to both, as they are given.
// Launch: grid (T), 128 threads: a warp has a block of 32.
extern "C" __global__ void rms_norm(const float* __restrict__ x, const float* __restrict__ weight, float* __restrict__ y,
                                    int8_t* __restrict__ codes, float* __restrict__ scales, int n, float eps) {
    SHARED(float, numbers, staged);
    SHARED(float, factor, 1);
    const int thread = threadIdx.x;
    const size_t row = static_cast<size_t>(blockIdx.x) * n;
    const float* from = x + row;
    float squares = 0.0f;
    for (int first = 0; first < n; first += staged) {
        const int count = min(staged, n - first);
        if (first > 0) __syncthreads();
        for (int i = thread; i < count; i += 128) numbers[i] = from[first + i];
        __syncthreads();
        if (thread >= 8) continue;
#pragma unroll 8
        for (int i = thread; i < count; i += 8) squares = __fmaf_rn(numbers[i], numbers[i], squares);
    }
    if (thread < 32) squares = sum_of_eight_lanes(squares);
    if (thread == 0) *factor = factor_of(squares, n, eps);
    __syncthreads();
    for (int i = thread; i < n; i += 128) {
        const float value = normed(from[i], *factor, weight[i]);
        if (y != nullptr) y[row + i] = value;
        if (codes == nullptr) continue;
        const Quantized number = quantized(value);
        codes[row + i] = number.code;
        if (i % 32 == 0) scales[(row + i) / 32] = number.scale;
    }
}
LAUNCHABLE(rms_norm)
