// Products of experts with the slots routed to them, a slot at a time, or eight of one expert for plain floats. A slot is
// token * top_k + rank; `ids` has the expert of each, `order` lists slots by expert, `tiles` runs of it (tiles.cu).
// Launch: grid (ceil(rows / 32), slots or tiles), 256 threads. `only_expert` lets a launch serve one expert; below 0, all.
// Reference: moe_up_gate, moe_down; to the bit.
#include "activation.cuh"
#include "arithmetic.cuh"
#include "dot.cuh"
#include "tiles.cuh"

#ifdef PLAIN
constexpr bool warp_has_block = false;  // its sums are spread over warps: activations stay floats
#else
constexpr bool warp_has_block = true;  // of 32 columns, so that it can quantise them
#endif

// What a block works on: `count` slots of `expert`, the last repeated; inputs are their rows of the activations.
template <int n> struct Work {
    int expert, count, inputs[n];
};

// Slots of a tile, in shared memory, so that they take no register while rows are multiplied.
__device__ __forceinline__ int* slots_of_tile() {
    SHARED(int, slots, 8);
    return slots;
}
template <int n> __device__ __forceinline__ int slot_of(int i) { return n == 1 ? blockIdx.y : slots_of_tile()[i]; }

__device__ __forceinline__ Work<1> one_slot(const int* ids, int per_input) {
    const int slot = blockIdx.y;
    return {ids[slot], 1, {slot / per_input}};
}

template <int n> __device__ __forceinline__ Work<n> tile_of_slots(const Tile* tiles, const int* order, int per_input) {
    const Tile tile = tiles[blockIdx.y];
    Work<n> work;
    work.expert = tile.expert;
    work.count = tile.count;
    if (tile.count == 0) return work;
    const int thread = threadIdx.x;
    if (thread < n) slots_of_tile()[thread] = order[tile.first + min(thread, tile.count - 1)];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < n; i++) work.inputs[i] = slot_of<n>(i) / per_input;
    return work;
}

template <int n> __device__ __forceinline__ bool is_idle(const Work<n>& work, int only_expert) {
    return work.count == 0 || (only_expert >= 0 && work.expert != only_expert);
}

// y [slots, rows] = weights of the slot's expert times its input, plus bias [n_expert, rows].
template <int n>
__device__ __forceinline__ void multiply(const Work<n>& work, const uint8_t* weights, size_t row_bytes, int n_rows,
                                         int n_columns, Activations in, const float* bias, float* y) {
    const int row = blockIdx.x * block_rows + own_row();
    const size_t matrix = static_cast<size_t>(work.expert) * n_rows, matrix_row = matrix + min(row, n_rows - 1);
    float sum[n];
    open_codebook();
    dot(row_of(weights, row_bytes, matrix_row, n_columns), n_columns, in, work.inputs, sum);
    if (!has_sum() || row >= n_rows) return;
#pragma unroll
    for (int i = 0; i < n; i++) {
        if (i >= work.count) break;
        y[static_cast<size_t>(slot_of<n>(i)) * n_rows + row] =
            bias == nullptr ? sum[i] : __fadd_rn(sum[i], bias[matrix_row]);
    }
}

// act [slots, n_ff] = activation(gate x + bias, up x + bias), or where `act_codes` is given, what quantize.cu would make of it:
// a warp has a block of 32. Gate and up of an expert lie `expert_rows` rows apart from
// the next expert's, up's `up_first` rows behind: n_ff and 0 each on their own, 2 n_ff and n_ff where they are merged.
template <int n>
__device__ __forceinline__ void multiply_both(const Work<n>& work, const uint8_t* gate, const uint8_t* up,
                                              size_t row_bytes, int up_first, int n_ff, int expert_rows, int n_columns,
                                              Activations in, const float* gate_bias, const float* up_bias, int kind,
                                              float* act, int8_t* act_codes, float* act_scales) {
    const int row = blockIdx.x * block_rows + own_row();
    const size_t matrix_row = static_cast<size_t>(work.expert) * expert_rows + min(row, n_ff - 1);
    float gates[n], ups[n];
    open_codebook();
    dot(row_of(gate, row_bytes, matrix_row, n_columns), n_columns, in, work.inputs, gates);
    dot(row_of(up, row_bytes, up_first + matrix_row, n_columns), n_columns, in, work.inputs, ups);
    if (!has_sum() || row >= n_ff) return;
#pragma unroll
    for (int i = 0; i < n; i++) {
        if (i >= work.count) break;
        const float g = gate_bias == nullptr ? gates[i] : __fadd_rn(gates[i], gate_bias[matrix_row]);
        const float u = up_bias == nullptr ? ups[i] : __fadd_rn(ups[i], up_bias[matrix_row]);
        const float value = activate(kind, g, u);
        const size_t at = static_cast<size_t>(slot_of<n>(i)) * n_ff + row;
        if (warp_has_block && act_codes != nullptr) {
            const Quantized number = quantized(value);
            act_codes[at] = number.code;
            if (row % 32 == 0) act_scales[at / 32] = number.scale;
            continue;
        }
        act[at] = value;
    }
}

extern "C" __global__ void __launch_bounds__(256, 3)
    expert_product(const uint8_t* __restrict__ weights, size_t row_bytes, int n_rows, int n_columns,
                   const float* __restrict__ values, const int8_t* __restrict__ codes, const float* __restrict__ scales,
                   const float* __restrict__ bias, const int* __restrict__ ids, int slots_per_input, int only_expert,
                   float* __restrict__ y) {
    const Work<1> work = one_slot(ids, slots_per_input);
    if (is_idle(work, only_expert)) return;
    multiply(work, weights, row_bytes, n_rows, n_columns, {values, codes, scales}, bias, y);
}
LAUNCHABLE(expert_product)

extern "C" __global__ void __launch_bounds__(256, 3)
    expert_gate_up(const uint8_t* __restrict__ gate, const uint8_t* __restrict__ up, size_t row_bytes, int up_first,
                   int n_ff, int expert_rows, int n_columns, const float* __restrict__ values,
                   const int8_t* __restrict__ codes, const float* __restrict__ scales,
                   const float* __restrict__ gate_bias, const float* __restrict__ up_bias, const int* __restrict__ ids,
                   int slots_per_input, int only_expert, int kind, float* __restrict__ act,
                   int8_t* __restrict__ act_codes, float* __restrict__ act_scales) {
    const Work<1> work = one_slot(ids, slots_per_input);
    if (is_idle(work, only_expert)) return;
    multiply_both(work, gate, up, row_bytes, up_first, n_ff, expert_rows, n_columns, {values, codes, scales}, gate_bias,
                  up_bias, kind, act, act_codes, act_scales);
}
LAUNCHABLE(expert_gate_up)

#ifdef PLAIN
extern "C" __global__ void __launch_bounds__(256, 3)
    expert_product_8(const uint8_t* __restrict__ weights, size_t row_bytes, int n_rows, int n_columns,
                     const float* __restrict__ values, const int8_t* __restrict__ codes,
                     const float* __restrict__ scales, const float* __restrict__ bias, const Tile* __restrict__ tiles,
                     const int* __restrict__ order, int slots_per_input, int only_expert, float* __restrict__ y) {
    const Work<8> work = tile_of_slots<8>(tiles, order, slots_per_input);
    if (is_idle(work, only_expert)) return;
    multiply(work, weights, row_bytes, n_rows, n_columns, {values, codes, scales}, bias, y);
}
LAUNCHABLE(expert_product_8)

extern "C" __global__ void __launch_bounds__(256, 3)
    expert_gate_up_8(const uint8_t* __restrict__ gate, const uint8_t* __restrict__ up, size_t row_bytes, int up_first,
                     int n_ff, int expert_rows, int n_columns, const float* __restrict__ values,
                     const int8_t* __restrict__ codes, const float* __restrict__ scales,
                     const float* __restrict__ gate_bias, const float* __restrict__ up_bias,
                     const Tile* __restrict__ tiles, const int* __restrict__ order, int slots_per_input,
                     int only_expert, int kind, float* __restrict__ act, int8_t* __restrict__ act_codes,
                     float* __restrict__ act_scales) {
    const Work<8> work = tile_of_slots<8>(tiles, order, slots_per_input);
    if (is_idle(work, only_expert)) return;
    multiply_both(work, gate, up, row_bytes, up_first, n_ff, expert_rows, n_columns, {values, codes, scales}, gate_bias,
                  up_bias, kind, act, act_codes, act_scales);
}
LAUNCHABLE(expert_gate_up_8)
#endif
