// y [T, rows] = x [T, K] times rows first_row .. of one matrix, plus bias and residual where given: a token at a time,
// or eight for plain floats. Launch: grid (ceil(rows / 32), T or ceil(T / 8)), 256 threads.
// Reference: Q8Product, FloatProduct; to the bit.
#include "dot.cuh"

template <int n_inputs>
__device__ __forceinline__ void multiply(const uint8_t* weights, size_t row_bytes, int first_row, int n_rows,
                                         int n_columns, Activations in, const float* bias, const float* residual,
                                         float* y, int y_columns, int n_tokens) {
    const int row = blockIdx.x * block_rows + own_row(), first = blockIdx.y * n_inputs, there = min(row, n_rows - 1);
    open_codebook();
    int tokens[n_inputs];
    float sum[n_inputs];
#pragma unroll
    for (int i = 0; i < n_inputs; i++) tokens[i] = min(first + i, n_tokens - 1);
    dot(row_of(weights, row_bytes, first_row + there, n_columns), n_columns, in, tokens, sum);
    if (!has_sum() || row >= n_rows) return;
#pragma unroll
    for (int i = 0; i < n_inputs; i++) {
        if (first + i >= n_tokens) break;
        const size_t at = static_cast<size_t>(first + i) * y_columns + row;
        const float biased = bias == nullptr ? sum[i] : __fadd_rn(sum[i], bias[row]);
        y[at] = residual == nullptr ? biased : __fadd_rn(residual[at], biased);
    }
}

extern "C" __global__ void __launch_bounds__(256, 3)
    product(const uint8_t* __restrict__ weights, size_t row_bytes, int first_row, int n_rows, int n_columns,
            const float* __restrict__ values, const int8_t* __restrict__ codes, const float* __restrict__ scales,
            const float* __restrict__ bias, const float* __restrict__ residual, float* __restrict__ y, int y_columns,
            int n_tokens) {
    multiply<1>(weights, row_bytes, first_row, n_rows, n_columns, {values, codes, scales}, bias, residual, y, y_columns,
                n_tokens);
}
LAUNCHABLE(product)

#ifdef PLAIN
extern "C" __global__ void __launch_bounds__(256, 3)
    product_8(const uint8_t* __restrict__ weights, size_t row_bytes, int first_row, int n_rows, int n_columns,
              const float* __restrict__ values, const int8_t* __restrict__ codes, const float* __restrict__ scales,
              const float* __restrict__ bias, const float* __restrict__ residual, float* __restrict__ y, int y_columns,
              int n_tokens) {
    multiply<8>(weights, row_bytes, first_row, n_rows, n_columns, {values, codes, scales}, bias, residual, y, y_columns,
                n_tokens);
}
LAUNCHABLE(product_8)
#endif
