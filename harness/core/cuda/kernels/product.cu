// y [T, rows] = x [T, K] times rows of one matrix or of up to three (parts.cuh), plus bias and, for a single one, residual
// where given: a token at a time, or eight for plain floats. Launch: grid (row tiles of 32, T or ceil(T / 8)), 256 threads.
// Reference: Q8Product, FloatProduct; to the bit.
#include "dot.cuh"
#include "parts.cuh"

template <int n_inputs>
__device__ __forceinline__ void multiply(const Own& own, size_t row_bytes, int n_columns, Activations in,
                                         const float* residual, int n_tokens) {
    const Part& part = own.part;
    const int row = own.first + own_row(), first = blockIdx.y * n_inputs, there = min(row, part.n_rows - 1);
    open_codebook();
    int tokens[n_inputs];
    float sum[n_inputs];
#pragma unroll
    for (int i = 0; i < n_inputs; i++) tokens[i] = min(first + i, n_tokens - 1);
    dot(row_of(part.weights, row_bytes, part.first_row + there, n_columns), n_columns, in, tokens, sum);
    if (!has_sum() || row >= part.n_rows) return;
#pragma unroll
    for (int i = 0; i < n_inputs; i++) {
        if (first + i >= n_tokens) break;
        const size_t at = static_cast<size_t>(first + i) * part.n_rows + row;
        const float biased = part.bias == nullptr ? sum[i] : __fadd_rn(sum[i], __ldg(part.bias + row));
        part.y[at] = residual == nullptr ? biased : __fadd_rn(residual[at], biased);
    }
}

extern "C" __global__ void __launch_bounds__(256, 3)
    product(PARTS, size_t row_bytes, int n_columns, const float* __restrict__ values, const int8_t* __restrict__ codes,
            const float* __restrict__ scales, const float* __restrict__ residual, int n_tokens) {
    const Own own = own_part<block_rows>(blockIdx.x, PARTS_GIVEN);
    multiply<1>(own, row_bytes, n_columns, {values, codes, scales}, residual, n_tokens);
}
LAUNCHABLE(product)

#ifdef PLAIN
extern "C" __global__ void __launch_bounds__(256, 3)
    product_8(PARTS, size_t row_bytes, int n_columns, const float* __restrict__ values, const int8_t* __restrict__ codes,
              const float* __restrict__ scales, const float* __restrict__ residual, int n_tokens) {
    const Own own = own_part<block_rows>(blockIdx.x, PARTS_GIVEN);
    multiply<8>(own, row_bytes, n_columns, {values, codes, scales}, residual, n_tokens);
}
LAUNCHABLE(product_8)
#endif
