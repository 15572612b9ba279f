// Values of several devices where they cross: narrowed before they leave, added up or put side by side where they arrive.
// `wire` is a number's type on the way: 0 float, 1 f16, 2 bf16. Reference: compose/crossings.py; to the bit.
#include "gpu.cuh"

__device__ __forceinline__ uint16_t float_to_bfloat(float value) {
    const uint32_t bits = static_cast<uint32_t>(__float_as_int(value));
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);  // NaN, kept quiet
    return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ __forceinline__ float arrived(const void* __restrict__ x, size_t at, int wire) {
    if (wire == 0) return static_cast<const float*>(x)[at];
    const uint16_t bits = static_cast<const uint16_t*>(x)[at];
    return wire == 1 ? half_to_float(bits) : __int_as_float(static_cast<int>(static_cast<uint32_t>(bits) << 16));
}

// y [n] in two bytes each from floats x [n]. Launch: grid (ceil(n / 256)), 256 threads.
extern "C" __global__ void narrow(const float* __restrict__ x, uint16_t* __restrict__ y, int wire, int n) {
    const int at = blockIdx.x * 256 + threadIdx.x;
    if (at < n) y[at] = wire == 1 ? float_to_half(x[at]) : float_to_bfloat(x[at]);
}
LAUNCHABLE(narrow)

// sum [n] = residual + partial sums added in ascending order. The `own`-th of the `n_partials` is this device's; the
// others came here one behind the other, [n_partials - 1, n]. Launch: grid (ceil(n / 256)), 256 threads.
extern "C" __global__ void add_partials(const void* __restrict__ others, const void* __restrict__ mine, int own,
                                        int n_partials, int wire, const float* __restrict__ residual,
                                        float* __restrict__ sum, int n) {
    const int at = blockIdx.x * 256 + threadIdx.x;
    if (at >= n) return;
    float total = 0.0f;
    for (int i = 0; i < n_partials; i++) {
        const size_t before = static_cast<size_t>(i < own ? i : i - 1) * n;
        const float partial = i == own ? arrived(mine, at, wire) : arrived(others, before + at, wire);
        total = i == 0 ? partial : __fadd_rn(total, partial);
    }
    sum[at] = residual == nullptr ? total : __fadd_rn(residual[at], total);
}
LAUNCHABLE(add_partials)

// Columns `first` .. of y [rows, all_columns] from x [rows, n_columns].
// Launch: grid (rows, ceil(n_columns / 128)), 128 threads.
extern "C" __global__ void place_columns(const float* __restrict__ x, int n_columns, float* __restrict__ y, int first,
                                         int all_columns) {
    const int column = blockIdx.y * 128 + threadIdx.x;
    if (column >= n_columns) return;
    const size_t row = blockIdx.x;
    y[row * all_columns + first + column] = x[row * n_columns + column];
}
LAUNCHABLE(place_columns)
