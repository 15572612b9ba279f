// Products of experts with the slots routed to them, by int8 mma: the results of experts.cu, bit for bit. A source of its
// own names the kernels, EXPERT_PRODUCT and EXPERT_GATE_UP, for each TILE_TOKENS. A slot is token * top_k + rank; `order`
// lists slots by expert, `tiles` runs of it (tiles.cu). Launch: grid (tiles, row tiles), 256 threads: blocks that share an
// expert's rows run side by side, so that weights are read once; blocks of tiles without slots end at once. `only_expert`
// lets a launch serve one expert; below 0, all. Reference: moe_up_gate, moe_down; to the bit.
#pragma once
#include "activation.cuh"
#include "arithmetic.cuh"
#include "tile_mma.cuh"
#include "tiles.cuh"

// A block's tile, in shared memory, so that it takes no register while the tile is multiplied.
struct Placed {
    int expert, count;
};

// The tile's slots in `slots` and their rows of the activations in `rows`; the last repeats.
__device__ __forceinline__ void lay_out_slots(const Tile& tile, const int* order, int per_input, int* slots, int* rows,
                                              Placed* placed) {
    const int thread = threadIdx.x;
    if (thread < tile_tokens) {
        slots[thread] = order[tile.first + min(thread, tile.count - 1)];
        rows[thread] = slots[thread] / per_input;
    }
    if (thread == 0) *placed = {tile.expert, tile.count};
    __syncthreads();
}

__device__ __forceinline__ bool is_idle(const Tile& tile, int only_expert) {
    return tile.count == 0 || (only_expert >= 0 && tile.expert != only_expert);
}

// y [slots, rows] = weights of the slot's expert times its input, plus bias [n_expert, rows]. 128 rows a block.
extern "C" __global__ void __launch_bounds__(256, 2)
    EXPERT_PRODUCT(const uint8_t* __restrict__ weights, size_t row_bytes, int n_rows, int n_columns,
                   const int8_t* __restrict__ codes, const float* __restrict__ scales,
                   const float* __restrict__ bias, const Tile* __restrict__ tiles, const int* __restrict__ order,
                   int slots_per_input, int only_expert, float* __restrict__ y) {
    SHARED(int, slots, tile_tokens);
    SHARED(int, rows, tile_tokens);
    SHARED(Placed, placed, 1);
    const Tile tile = tiles[blockIdx.x];
    if (is_idle(tile, only_expert)) return;
    lay_out_slots(tile, order, slots_per_input, slots, rows, placed);
    const int first_row = blockIdx.y * tile_rows, own = first_row + threadIdx.x % tile_rows;
    const size_t own_row = static_cast<size_t>(tile.expert) * n_rows + own;
    Sums sum;
    multiply_tile(row_or_none(weights, row_bytes, own_row, n_columns, own < n_rows), n_columns, codes, scales, rows, sum);
    const int count = placed->count;
    const size_t matrix = static_cast<size_t>(placed->expert) * n_rows;
    const Corner corner;
#pragma unroll
    for (int i = 0; i < n_down; i++) {
#pragma unroll
        for (int j = 0; j < n_across; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const int row = first_row + corner.row(i) + e / 2 * 8, token = corner.token(j) + e % 2;
                if (row >= n_rows || token >= count) continue;
                const float value = bias == nullptr ? sum[i][j][e] : __fadd_rn(sum[i][j][e], bias[matrix + row]);
                y[static_cast<size_t>(slots[token]) * n_rows + row] = value;
            }
        }
    }
}

constexpr int tile_columns = tile_rows / 2;  // of the activation

// A number of the activation on its way to its block of 32: by token, spread over the banks.
__device__ __forceinline__ int staged_at(int token, int column) { return token * tile_columns + (column ^ (token >> 1 & 3) * 8); }

// The staged activations of `count` tokens as codes and scales, what quantize.cu would make of them: a warp has a block.
__device__ __forceinline__ void store_codes(const float* staged, const int* slots, int count, int first_column, int n_ff,
                                            int8_t* codes, float* scales) {
    const int lane = threadIdx.x % 32;
    for (int block = threadIdx.x / 32; block < 2 * count; block += tile_threads / 32) {
        const int token = block / 2, column = block % 2 * 32 + lane;
        if (first_column + block % 2 * 32 >= n_ff) continue;
        const Quantized number = quantized(staged[staged_at(token, column)]);
        const size_t at = static_cast<size_t>(slots[token]) * n_ff + first_column + column;
        codes[at] = number.code;
        if (lane == 0) scales[at / 32] = number.scale;
    }
}

// act [slots, n_ff] = activation(gate x + bias, up x + bias), or where `act_codes` is given, its codes and scales. Tile rows 16 i .. 16 i + 7 are gate rows, the next eight
// the same rows of up: a thread's accumulators 0, 1 and 2, 3 are then gate and up of the same column. 64 columns a block.
extern "C" __global__ void __launch_bounds__(256, 2)
    EXPERT_GATE_UP(const uint8_t* __restrict__ gate, const uint8_t* __restrict__ up, size_t row_bytes, int up_first,
                   int n_ff, int expert_rows, int n_columns, const int8_t* __restrict__ codes,
                   const float* __restrict__ scales, const float* __restrict__ gate_bias,
                   const float* __restrict__ up_bias, const Tile* __restrict__ tiles,
                   const int* __restrict__ order, int slots_per_input, int only_expert, int kind,
                   float* __restrict__ act, int8_t* __restrict__ act_codes, float* __restrict__ act_scales) {
    SHARED(int, slots, tile_tokens);
    SHARED(int, rows, tile_tokens);
    SHARED(Placed, placed, 1);
    const Tile tile = tiles[blockIdx.x];
    const int first_column = blockIdx.y * tile_columns;
    if (is_idle(tile, only_expert)) return;
    lay_out_slots(tile, order, slots_per_input, slots, rows, placed);
    const int own = threadIdx.x % tile_rows, own_column = first_column + own / 16 * 8 + own % 8;
    const bool is_gate = own % 16 < 8;
    const size_t own_row = static_cast<size_t>(tile.expert) * expert_rows + own_column + (is_gate ? 0 : up_first);
    Sums sum;
    multiply_tile(row_or_none(is_gate ? gate : up, row_bytes, own_row, n_columns, own_column < n_ff), n_columns, codes,
                  scales, rows, sum);
    const int count = placed->count;
    const size_t matrix = static_cast<size_t>(placed->expert) * expert_rows;
    float* const staged = reinterpret_cast<float*>(weight_codes_room());
    const Corner corner;
#pragma unroll
    for (int i = 0; i < n_down; i++) {
        const int column = first_column + corner.row(i) / 16 * 8 + corner.row(i) % 8;
        if (column >= n_ff) continue;
        const float gate_bias_here = gate_bias == nullptr ? 0.0f : gate_bias[matrix + column];
        const float up_bias_here = up_bias == nullptr ? 0.0f : up_bias[matrix + column];
#pragma unroll
        for (int j = 0; j < n_across; j++) {
#pragma unroll
            for (int e = 0; e < 2; e++) {
                const int token = corner.token(j) + e;
                if (token >= count) continue;
                const float g = gate_bias == nullptr ? sum[i][j][e] : __fadd_rn(sum[i][j][e], gate_bias_here);
                const float u = up_bias == nullptr ? sum[i][j][2 + e] : __fadd_rn(sum[i][j][2 + e], up_bias_here);
                const float value = activate(kind, g, u);
                if (act_codes == nullptr) {
                    act[static_cast<size_t>(slots[token]) * n_ff + column] = value;
                } else {
                    staged[staged_at(token, column - first_column)] = value;
                }
            }
        }
    }
    if (act_codes == nullptr) return;
    __syncthreads();
    store_codes(staged, slots, count, first_column, n_ff, act_codes, act_scales);
}
