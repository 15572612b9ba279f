// 128 weight rows times TILE_TOKENS tokens (16, 32 or 64) by int8 mma, in the order docs/numerics.md fixes: integer sums of
// a group are exact, then one fma per group, blocks ascending. So every element has the bits that dot.cuh gives it.
//
// Shared memory, twice, so that one step of 64 columns is fetched while the last is multiplied:
//   weight_codes [128 rows][4 chunks of 16 int8], decoded by the thread that owns (row, block)
//   token_codes  [tile_tokens][4 chunks], by cp.async
// Chunk c of row r lies at r * 4 + (c ^ (r >> 1 & 3)): ldmatrix and 16-byte stores meet every bank once.
//
// 256 threads: warps 4 x 2, each 32 rows x 32 or 16 tokens, or 8 x 1, each 16 rows x 16 tokens; sum[i][j] are the
// accumulators of m16n8 tile (i, j). shapes.py says which tile is for which architecture and format.
#pragma once
#include FORMAT_FILE
#include "codebook.cuh"

#ifdef PLAIN
#error "plain floats have no codes to multiply; use dot.cuh"
#endif

constexpr int tile_rows = 128, tile_tokens = TILE_TOKENS, tile_threads = 256, step_blocks = 2;
constexpr int row_warps = tile_tokens == 16 ? 8 : 4, token_warps = 8 / row_warps;
constexpr int warp_rows = tile_rows / row_warps, warp_tokens = tile_tokens / token_warps;
constexpr int n_down = warp_rows / 16, n_across = warp_tokens / 8;  // m16n8 tiles of a warp
using Sums = float[n_down][n_across][4];
constexpr int groups = 32 / group, minimums = has_minimum ? groups : 0, row_scales = groups + minimums;

// Where a thread's accumulators lie in the tile: rows row() and row() + 8 (elements 0, 1 and 2, 3), tokens token(), + 1.
struct Corner {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    __device__ __forceinline__ int row(int i) const { return warp % row_warps * warp_rows + i * 16 + lane / 4; }
    __device__ __forceinline__ int token(int j) const { return warp / row_warps * warp_tokens + j * 8 + lane % 4 * 2; }
};

__device__ __forceinline__ Row row_or_none(const uint8_t* weights, size_t row_bytes, size_t row, int n_columns,
                                           bool exists) {
    return row_of(exists ? weights : nullptr, row_bytes, exists ? row : 0, n_columns);
}

__device__ __forceinline__ int chunk_at(int row, int chunk) { return row * 4 + (chunk ^ (row >> 1 & 3)); }

// One group's products of an m16n8 tile: all 32 columns of a block, or its lower or upper 16.
__device__ __forceinline__ void multiply_group(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], int part) {
    if (group == 32) {
        mma_s8_16832(d, a, b);
    } else if (part == 0) {
        mma_s8_16816(d, a[0], a[1], b[0]);
    } else {
        mma_s8_16816(d, a[2], a[3], b[1]);
    }
}

// Integer sums begin at the bits of 1.5 * 2^23: up to 2^22 either way, what is counted from there is a float's own last
// bits, and a subtraction yields it, exactly. A conversion would do as well, at a quarter of the rate.
constexpr int zero = 0x4b400000;
__device__ __forceinline__ float counted(int sum) { return __fadd_rn(__int_as_float(sum), -12582912.0f); }

// sum += one block of 32 columns. weight_scales [row_scales][128] and token_scales [tile_tokens] are the block's.
__device__ __forceinline__ void add_block_of_tile(const uint4* weight_codes, const uint4* token_codes, int block,
                                                  const float* weight_scales, const float* token_scales,
                                                  Sums& sum) {
    const Corner corner;
    const int lane = corner.lane;
    // Sixteen rows on, chunks lie in the same order; of a block beside, each with its second bit turned.
    const int row = corner.row(0) - lane / 4 + lane % 8 + (lane >> 3 & 1) * 8;
    const int token = corner.token(0) - lane % 4 * 2 + lane % 8 + (lane >> 4) * 8;
    const uint4* of_rows = weight_codes + (chunk_at(row, lane >> 4) ^ 2 * block);
    const uint4* of_tokens = token_codes + (chunk_at(token, lane >> 3 & 1) ^ 2 * block);
    uint32_t a[n_down][4];
    for (int i = 0; i < n_down; i++) load_matrix_x4(a[i], of_rows + i * 16 * 4);
#pragma unroll
    for (int pair = 0; pair < n_across / 2; pair++) {
        uint32_t b[4];
        load_matrix_x4(b, of_tokens + pair * 16 * 4);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int j = 2 * pair + half;
            const uint32_t columns[2] = {b[2 * half], b[2 * half + 1]};
            int totals[2][4] = {{zero, zero, zero, zero}, {zero, zero, zero, zero}};
            if (has_minimum) {
                const uint32_t ones[4] = {0x01010101u, 0x01010101u, 0x01010101u, 0x01010101u};
                for (int part = 0; part < groups; part++) multiply_group(totals[part], ones, columns, part);
            }
#pragma unroll
            for (int i = 0; i < n_down; i++) {
                for (int part = 0; part < groups; part++) {
                    int products[4] = {zero, zero, zero, zero};
                    multiply_group(products, a[i], columns, part);
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        const float of_row = weight_scales[part * tile_rows + corner.row(i) + e / 2 * 8];
                        const float both = __fmul_rn(of_row, token_scales[corner.token(j) + e % 2]);
                        sum[i][j][e] = __fmaf_rn(counted(products[e]), both, sum[i][j][e]);
                    }
                }
                for (int part = 0; part < minimums; part++) {
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        const float of_row = weight_scales[(groups + part) * tile_rows + corner.row(i) + e / 2 * 8];
                        const float both = __fmul_rn(of_row, token_scales[corner.token(j) + e % 2]);
                        sum[i][j][e] = __fmaf_rn(-counted(totals[part][e]), both, sum[i][j][e]);
                    }
                }
            }
        }
    }
}

// Free again once a tile is multiplied.
__device__ __forceinline__ uint4* weight_codes_room() {
    SHARED(uint4, weight_codes, 2 * tile_rows * 4);
    return weight_codes;
}

// sum = the tile's products. `own_row`: the weights of tile row threadIdx.x % 128; a row without a tile counts as zeros.
// token_rows [tile_tokens] in shared memory: the row of `codes` and `scales` each tile token takes.
__device__ __forceinline__ void multiply_tile(const Row& own_row, int n_columns, const int8_t* __restrict__ codes,
                                              const float* __restrict__ scales, const int* token_rows,
                                              Sums& sum) {
    uint4* const weight_codes = weight_codes_room();
    SHARED(uint4, token_codes, 2 * tile_tokens * 4);
    SHARED(float, weight_scales, 2 * step_blocks * row_scales * tile_rows);
    SHARED(float, token_scales, 2 * step_blocks * tile_tokens);
    const int thread = threadIdx.x, n_blocks = n_columns / 32, n_steps = (n_blocks + step_blocks - 1) / step_blocks;
    const int row = thread % tile_rows, block_of_row = thread / tile_rows;      // the block this thread decodes
    const int token = thread / 4, chunk = thread % 4;                           // the chunk this thread copies, if it has one
    const int scaled_token = thread % tile_tokens, scaled_block = thread / tile_tokens;  // the scale, while below 2

    // Nobody reads `to` meanwhile, so that what is decoded goes there at once and takes no register from the products.
    const auto fetch = [&](int step, int to) {
        const int first = step * step_blocks;
        if (token < tile_tokens && first + chunk / 2 < n_blocks) {
            const size_t from = (static_cast<size_t>(token_rows[token]) * n_blocks + first) * 32 + chunk * 16;
            copy_async_16(token_codes + to * tile_tokens * 4 + chunk_at(token, chunk), codes + from);
        }
        copy_async_commit();
        float token_scale = 0.0f;
        if (scaled_block < step_blocks && first + scaled_block < n_blocks) {
            token_scale = scales[static_cast<size_t>(token_rows[scaled_token]) * n_blocks + first + scaled_block];
        }
        Block block = {};
        if (own_row.tile != nullptr && first + block_of_row < n_blocks) decode(own_row, first + block_of_row, block);
        uint4* out = weight_codes + to * tile_rows * 4;
        const uint4 low = {static_cast<uint32_t>(block.codes[0]), static_cast<uint32_t>(block.codes[1]),
                           static_cast<uint32_t>(block.codes[2]), static_cast<uint32_t>(block.codes[3])};
        const uint4 high = {static_cast<uint32_t>(block.codes[4]), static_cast<uint32_t>(block.codes[5]),
                            static_cast<uint32_t>(block.codes[6]), static_cast<uint32_t>(block.codes[7])};
        out[chunk_at(row, 2 * block_of_row)] = low;
        out[chunk_at(row, 2 * block_of_row + 1)] = high;
        float* row_out = weight_scales + (to * step_blocks + block_of_row) * row_scales * tile_rows + row;
        for (int part = 0; part < groups; part++) row_out[part * tile_rows] = block.scale[part];
        for (int part = 0; part < minimums; part++) row_out[(groups + part) * tile_rows] = block.minimum[part];
        if (scaled_block < step_blocks) {
            token_scales[(to * step_blocks + scaled_block) * tile_tokens + scaled_token] = token_scale;
        }
    };

    for (int i = 0; i < n_down; i++) {
        for (int j = 0; j < n_across; j++) {
            for (int e = 0; e < 4; e++) sum[i][j][e] = 0.0f;
        }
    }
    open_codebook();
    fetch(0, 0);
    copy_async_wait<0>();
    __syncthreads();
    for (int step = 0; step < n_steps; step++) {
        const int now = step % 2;
        if (step + 1 < n_steps) fetch(step + 1, 1 - now);
#pragma unroll 1
        for (int index = 0; index < min(step_blocks, n_blocks - step * step_blocks); index++) {
            const int at = now * step_blocks + index;
            add_block_of_tile(weight_codes + now * tile_rows * 4, token_codes + now * tile_tokens * 4, index,
                              weight_scales + at * row_scales * tile_rows, token_scales + at * tile_tokens, sum);
        }
        copy_async_wait<0>();
        __syncthreads();
    }
}
