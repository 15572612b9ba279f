// RMS norm of vectors of `n` numbers: y = x / sqrt(mean(x^2) + eps) * weight. Reference: rms_norm, qkv; exact.
//
// The sum of squares is eight chains of fused multiply-adds, so that only eight threads can add at a time. Those of a
// long row add from shared memory, where 128 threads have put it; short vectors share a block, eight lanes each.
#include "arithmetic.cuh"

constexpr int staged = 4096;

__device__ __forceinline__ float factor_of(float squares, int n, float eps) {
    return __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(__fdiv_rn(squares, __int2float_rn(n)), eps)));
}

__device__ __forceinline__ float normed(float x, float factor, float weight) {
    return __fmul_rn(__fmul_rn(x, factor), weight);
}

// Rows [T, n]. Launch: grid (T), 128 threads.
extern "C" __global__ void rms_norm(const float* __restrict__ x, const float* __restrict__ weight, float* __restrict__ y,
                                    int n, float eps) {
    SHARED(float, numbers, staged);
    SHARED(float, factor, 1);
    const int thread = threadIdx.x;
    const float* from = x + static_cast<size_t>(blockIdx.x) * n;
    float* to = y + static_cast<size_t>(blockIdx.x) * n;
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
    for (int i = thread; i < n; i += 128) to[i] = normed(from[i], *factor, weight[i]);
}
LAUNCHABLE(rms_norm)

// Heads [n_vectors, n] in place. Launch: grid (ceil(n_vectors / 16)), 128 threads.
extern "C" __global__ void norm_heads(float* __restrict__ heads, const float* __restrict__ weight, int n_vectors, int n,
                                      float eps) {
    const int vector = blockIdx.x * 16 + threadIdx.x / 8, lane = threadIdx.x % 8;
    const int count = vector < n_vectors ? n : 0;
    float* head = heads + static_cast<size_t>(vector) * n;
    float squares = 0.0f;
    for (int i = lane; i < count; i += 8) squares = __fmaf_rn(head[i], head[i], squares);
    const float factor = factor_of(sum_of_eight_lanes(squares), n, eps);
    for (int i = lane; i < count; i += 8) head[i] = normed(head[i], factor, weight[i]);
}
LAUNCHABLE(norm_heads)
