// y [T, rows] = x [T, K] times rows first_row .. of one matrix, plus bias and residual where given.
// Launch: a thread per row, 8 tokens at a time; grid (ceil(rows / 128), ceil(T / 8)), 128 threads.
// Reference: Q8Product; relative L2 1e-5.
#include "dot.cuh"

extern "C" __global__ void product(const uint8_t* __restrict__ weights, size_t row_bytes, int first_row, int n_rows, int n_columns,
                                   const float* __restrict__ values, const int8_t* __restrict__ codes,
                                   const float* __restrict__ scales, const float* __restrict__ bias,
                                   const float* __restrict__ residual, float* __restrict__ y, int y_columns,
                                   int n_tokens) {
    constexpr int tile = 8;
    const int row = blockIdx.x * 128 + threadIdx.x, first = blockIdx.y * tile;
    if (row >= n_rows) return;
    int tokens[tile];
    float sum[tile];
    for (int i = 0; i < tile; i++) tokens[i] = min(first + i, n_tokens - 1);
    dot<tile>(row_of(weights, row_bytes, first_row + row, n_columns), n_columns, {values, codes, scales}, tokens, sum);
    for (int i = 0; i < tile; i++) {
        if (first + i >= n_tokens) break;
        const size_t at = static_cast<size_t>(first + i) * y_columns + row;
        const float biased = bias == nullptr ? sum[i] : __fadd_rn(sum[i], bias[row]);
        y[at] = residual == nullptr ? biased : __fadd_rn(residual[at], biased);
    }
}
LAUNCHABLE(product)
