// Rotates heads to their positions and stores keys and values. Positions come from device memory, so that a captured
// graph serves every token. Tables: cos, sin float [n_ctx, half]. Launch: grid (T), 128 threads. Reference: qkv.
#include "arithmetic.cuh"

// heads [T, n_head, head_dim] in place; pairs (i, i + half) where `apart`, (2i, 2i + 1) otherwise.
extern "C" __global__ void rotate(float* __restrict__ heads, int row_columns, int n_head, int head_dim,
                                  const float* __restrict__ cosines, const float* __restrict__ sines, int half,
                                  int apart, const int* __restrict__ position) {
    float* row = heads + static_cast<size_t>(blockIdx.x) * row_columns;
    const size_t angle = static_cast<size_t>(*position + blockIdx.x) * half;
    for (int i = threadIdx.x; i < n_head * half; i += 128) {
        const int pair = i % half, head = i / half * head_dim;
        const int first = head + (apart ? pair : 2 * pair), second = first + (apart ? half : 1);
        const float cosine = cosines[angle + pair], sine = sines[angle + pair], a = row[first], b = row[second];
        row[first] = __fadd_rn(__fmul_rn(a, cosine), -__fmul_rn(b, sine));
        row[second] = __fadd_rn(__fmul_rn(a, sine), __fmul_rn(b, cosine));
    }
}
LAUNCHABLE(rotate)

// One row per token of `row` [T, row_columns], `n` numbers of it, to cache [n_ctx, n] as f16.
extern "C" __global__ void store_kv(const float* __restrict__ rows, int row_columns, half_bits* __restrict__ cache, int n,
                                    const int* __restrict__ position) {
    const float* row = rows + static_cast<size_t>(blockIdx.x) * row_columns;
    half_bits* to = cache + static_cast<size_t>(*position + blockIdx.x) * n;
    for (int i = threadIdx.x; i < n; i += 128) to[i] = float_to_half(row[i]);
}
LAUNCHABLE(store_kv)

// The same to a cache of type q8_0: codes int8 [n_ctx, n] and a scale a block of 32, f16 [n_ctx, n / 32].
extern "C" __global__ void store_kv_q8_0(const float* __restrict__ rows, int row_columns, int8_t* __restrict__ codes,
                                         half_bits* __restrict__ scales, int n, const int* __restrict__ position) {
    const float* row = rows + static_cast<size_t>(blockIdx.x) * row_columns;
    const size_t to = static_cast<size_t>(*position + blockIdx.x) * n;
    for (int i = threadIdx.x; i < n; i += 128) {
        const Quantized number = quantized(row[i]);
        codes[to + i] = number.code;
        if (i % 32 == 0) scales[(to + i) / 32] = float_to_half(number.scale);
    }
}
LAUNCHABLE(store_kv_q8_0)
