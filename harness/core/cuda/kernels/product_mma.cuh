// y [T, rows] = x [T, K] times rows first_row .. of one matrix, plus bias and residual where given: product.cu's result, bit for
// bit, by int8 mma. A source of its own names the kernel, PRODUCT, for each TILE_TOKENS. Launch: grid
// (ceil(T / TILE_TOKENS), ceil(rows / 128)), 256 threads: blocks that share rows run side by side, so that weights are read
// once. Reference: Q8Product; to the bit.
#pragma once
#include "tile_mma.cuh"

extern "C" __global__ void __launch_bounds__(256, 2)
    PRODUCT(const uint8_t* __restrict__ weights, size_t row_bytes, int first_row, int n_rows, int n_columns,
            const int8_t* __restrict__ codes, const float* __restrict__ scales, const float* __restrict__ bias,
            const float* __restrict__ residual, float* __restrict__ y, int y_columns, int n_tokens) {
    SHARED(int, token_rows, tile_tokens);
    const int first = blockIdx.y * tile_rows, first_token = blockIdx.x * tile_tokens;
    const int own = first + threadIdx.x % tile_rows;
    if (threadIdx.x < tile_tokens) token_rows[threadIdx.x] = min(first_token + static_cast<int>(threadIdx.x), n_tokens - 1);
    __syncthreads();
    Sums sum;
    multiply_tile(row_or_none(weights, row_bytes, first_row + own, n_columns, own < n_rows), n_columns, codes, scales, token_rows, sum);
    const Corner corner;
#pragma unroll
    for (int i = 0; i < n_down; i++) {
#pragma unroll
        for (int j = 0; j < n_across; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const int row = first + corner.row(i) + e / 2 * 8, token = first_token + corner.token(j) + e % 2;
                if (row >= n_rows || token >= n_tokens) continue;
                const size_t at = static_cast<size_t>(token) * y_columns + row;
                const float biased = bias == nullptr ? sum[i][j][e] : __fadd_rn(sum[i][j][e], bias[row]);
                y[at] = residual == nullptr ? biased : __fadd_rn(residual[at], biased);
            }
        }
    }
}
