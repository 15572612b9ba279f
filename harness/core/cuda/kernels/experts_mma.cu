// Products of experts with the slots routed to them, by int8 mma: the results of experts.cu, bit for bit.
// A slot is token * top_k + rank; `order` and `bounds` as in experts.cu. Launch: grid (row tiles, ceil(most slots / 64),
// experts), 256 threads; blocks beyond an expert's slots end at once. Reference: moe_up_gate, moe_down; relative L2 1e-5.
#include "activation.cuh"
#include "tile_mma.cuh"

// The tile's slots in `slots` and their rows of the activations in `rows`; the last repeats. Returns how many there are.
__device__ __forceinline__ int tile_slots(const int* order, const int* bounds, int expert, int per_input, int* slots,
                                          int* rows) {
    const int begin = bounds[expert] + blockIdx.y * tile_tokens, end = bounds[expert + 1], thread = threadIdx.x;
    if (begin >= end) return 0;
    if (thread < tile_tokens) {
        slots[thread] = order[min(begin + thread, end - 1)];
        rows[thread] = slots[thread] / per_input;
    }
    __syncthreads();
    return min(end - begin, tile_tokens);
}

// y [slots, rows] = weights of the slot's expert times its input, plus bias [n_expert, rows]. 128 rows a block.
extern "C" __global__ void __launch_bounds__(256, 2)
    expert_product_mma(const uint8_t* __restrict__ weights, size_t row_bytes, int n_rows, int n_columns,
                       const int8_t* __restrict__ codes, const float* __restrict__ scales,
                       const float* __restrict__ bias, const int* __restrict__ order, const int* __restrict__ bounds,
                       int slots_per_input, int first_expert, float* __restrict__ y) {
    SHARED(int, slots, tile_tokens);
    SHARED(int, rows, tile_tokens);
    const int expert = first_expert + blockIdx.z, first_row = blockIdx.x * tile_rows;
    const int count = tile_slots(order, bounds, expert, slots_per_input, slots, rows);
    if (count == 0) return;
    const int own = first_row + threadIdx.x % tile_rows;
    const size_t matrix = static_cast<size_t>(expert) * n_rows;
    float sum[2][4][4];
    multiply_tile(row_or_none(weights, row_bytes, matrix + own, n_columns, own < n_rows), n_columns, codes, scales, rows, sum);
    const Corner corner;
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
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
LAUNCHABLE(expert_product_mma)

// act [slots, n_ff] = activation(gate x + bias, up x + bias). Tile rows 16 i .. 16 i + 7 are gate rows, the next eight
// the same rows of up: a thread's accumulators 0, 1 and 2, 3 are then gate and up of the same column. 64 columns a block.
extern "C" __global__ void __launch_bounds__(256, 2)
    expert_gate_up_mma(const uint8_t* __restrict__ gate, const uint8_t* __restrict__ up, size_t row_bytes, int up_first,
                       int n_ff, int expert_rows, int n_columns, const int8_t* __restrict__ codes,
                       const float* __restrict__ scales, const float* __restrict__ gate_bias,
                       const float* __restrict__ up_bias, const int* __restrict__ order,
                       const int* __restrict__ bounds, int slots_per_input, int first_expert, int kind,
                       float* __restrict__ act) {
    SHARED(int, slots, tile_tokens);
    SHARED(int, rows, tile_tokens);
    const int expert = first_expert + blockIdx.z, first_column = blockIdx.x * (tile_rows / 2);
    const int count = tile_slots(order, bounds, expert, slots_per_input, slots, rows);
    if (count == 0) return;
    const int own = threadIdx.x % tile_rows, own_column = first_column + own / 16 * 8 + own % 8;
    const size_t matrix = static_cast<size_t>(expert) * expert_rows;
    const bool is_gate = own % 16 < 8;
    const size_t own_row = matrix + own_column + (is_gate ? 0 : up_first);
    float sum[2][4][4];
    multiply_tile(row_or_none(is_gate ? gate : up, row_bytes, own_row, n_columns, own_column < n_ff), n_columns, codes,
                  scales, rows, sum);
    const Corner corner;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int column = first_column + corner.row(i) / 16 * 8 + corner.row(i) % 8;
        if (column >= n_ff) continue;
        const float gate_bias_here = gate_bias == nullptr ? 0.0f : gate_bias[matrix + column];
        const float up_bias_here = up_bias == nullptr ? 0.0f : up_bias[matrix + column];
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 2; e++) {
                const int token = corner.token(j) + e;
                if (token >= count) continue;
                const float g = gate_bias == nullptr ? sum[i][j][e] : __fadd_rn(sum[i][j][e], gate_bias_here);
                const float u = up_bias == nullptr ? sum[i][j][2 + e] : __fadd_rn(sum[i][j][2 + e], up_bias_here);
                act[static_cast<size_t>(slots[token]) * n_ff + column] = activate(kind, g, u);
            }
        }
    }
}
LAUNCHABLE(expert_gate_up_mma)
