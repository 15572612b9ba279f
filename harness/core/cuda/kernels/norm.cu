// RMS norm of vectors of `n` numbers: y = x / sqrt(mean(x^2) + eps) * weight. One launch serves rows [T, n_embd] and,
// in place, heads [T * n_head, head_dim]. Launch: grid (vectors), 128 threads. Reference: rms_norm; relative L2 1e-5.
#include "gpu.cuh"

__device__ __forceinline__ float block_sum(float value) {
    SHARED(float, parts, 4);
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(FULL_MASK, value, distance);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    return parts[0] + parts[1] + parts[2] + parts[3];
}

extern "C" __global__ void rms_norm(const float* x, const float* __restrict__ weight, float* y, int n, float eps) {
    const float* from = x + static_cast<size_t>(blockIdx.x) * n;
    float* to = y + static_cast<size_t>(blockIdx.x) * n;
    float squares = 0.0f;
    for (int i = threadIdx.x; i < n; i += 128) squares = __fmaf_rn(from[i], from[i], squares);
    const float mean = __fdiv_rn(block_sum(squares), __int2float_rn(n));
    const float factor = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(mean, eps)));
    for (int i = threadIdx.x; i < n; i += 128) to[i] = __fmul_rn(__fmul_rn(from[i], factor), weight[i]);
}
LAUNCHABLE(rms_norm)
