// y [T, rows] = x [T, K] times rows of one matrix or of up to three (parts.cuh), plus bias and, for a single one, residual
// where given: product.cu's result, bit for bit, by int8 mma. A source of its own names the kernel, PRODUCT, for each
// TILE_TOKENS. Launch: grid (ceil(T / TILE_TOKENS), row tiles of 128), 256 threads: blocks that share rows run side by side,
// so that weights are read once. Reference: Q8Product; to the bit.
#pragma once
#include "parts.cuh"
#include "tile_mma.cuh"

extern "C" __global__ void __launch_bounds__(256, 2)
    PRODUCT(PARTS, size_t row_bytes, int n_columns, const int8_t* __restrict__ codes, const float* __restrict__ scales,
            const float* __restrict__ residual, int n_tokens) {
    SHARED(int, token_rows, tile_tokens);
    SHARED(Own, placed, 1);  // so that it takes no register while the tile is multiplied
    const int first_token = blockIdx.x * tile_tokens;
    if (threadIdx.x < tile_tokens) token_rows[threadIdx.x] = min(first_token + static_cast<int>(threadIdx.x), n_tokens - 1);
    if (threadIdx.x == 0) *placed = own_part<tile_rows>(blockIdx.y, PARTS_GIVEN);
    __syncthreads();
    const int own_row = placed->first + threadIdx.x % tile_rows;
    const Part& whole = placed->part;
    Sums sum;
    multiply_tile(row_or_none(whole.weights, row_bytes, whole.first_row + own_row, n_columns,
                              own_row < whole.n_rows),
                  n_columns, codes, scales, token_rows, sum);
    const Own own = *placed;
    const Part& part = own.part;
    const Corner corner;
#pragma unroll
    for (int i = 0; i < n_down; i++) {
#pragma unroll
        for (int j = 0; j < n_across; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const int row = own.first + corner.row(i) + e / 2 * 8, token = first_token + corner.token(j) + e % 2;
                if (row >= part.n_rows || token >= n_tokens) continue;
                const size_t at = static_cast<size_t>(token) * part.n_rows + row;
                const float biased = part.bias == nullptr ? sum[i][j][e] : __fadd_rn(sum[i][j][e], __ldg(part.bias + row));
                part.y[at] = residual == nullptr ? biased : __fadd_rn(residual[at], biased);
            }
        }
    }
}
