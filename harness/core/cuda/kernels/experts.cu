// Products of experts with the slots routed to them. A slot is token * top_k + rank; `order` lists slots by expert,
// `bounds` [n_expert + 1] says where each expert's begin (sort.cu). Only the device knows how many there are.
// Launch: a thread per row, 8 slots at a time, experts in z; grid (ceil(rows / 128), ceil(most slots / 8), experts),
// 128 threads; `first_expert` lets a launch serve one expert. Reference: moe_up_gate, moe_down; relative L2 1e-5.
#include "activation.cuh"
#include "dot.cuh"

constexpr int tile = 8;

struct Slots {
    int count;        // that are to be computed; the rest repeats the last
    int slot[tile];
    int input[tile];  // row of the activations
};

__device__ __forceinline__ Slots slots_of(const int* order, const int* bounds, int expert, int per_input) {
    const int begin = bounds[expert] + blockIdx.y * tile, end = bounds[expert + 1];
    Slots slots;
    slots.count = min(end - begin, tile);
    if (slots.count <= 0) return slots;
#pragma unroll
    for (int i = 0; i < tile; i++) {
        slots.slot[i] = order[min(begin + i, end - 1)];
        slots.input[i] = slots.slot[i] / per_input;
    }
    return slots;
}

// y [slots, rows] = weights of the slot's expert times its input, plus bias [n_expert, rows].
extern "C" __global__ void expert_product(const uint8_t* __restrict__ weights, size_t row_bytes, int n_rows,
                                          int n_columns, const float* __restrict__ values,
                                          const int8_t* __restrict__ codes, const float* __restrict__ scales,
                                          const float* __restrict__ bias, const int* __restrict__ order,
                                          const int* __restrict__ bounds, int slots_per_input, int first_expert,
                                          float* __restrict__ y) {
    const int row = blockIdx.x * 128 + threadIdx.x, expert = first_expert + blockIdx.z;
    if (row >= n_rows) return;
    const Slots slots = slots_of(order, bounds, expert, slots_per_input);
    if (slots.count <= 0) return;
    const size_t matrix_row = static_cast<size_t>(expert) * n_rows + row;
    float sum[tile];
    dot<tile>(row_of(weights, row_bytes, matrix_row, n_columns), n_columns, {values, codes, scales}, slots.input, sum);
#pragma unroll
    for (int i = 0; i < tile; i++) {
        if (i >= slots.count) break;
        y[static_cast<size_t>(slots.slot[i]) * n_rows + row] =
            bias == nullptr ? sum[i] : __fadd_rn(sum[i], bias[matrix_row]);
    }
}
LAUNCHABLE(expert_product)

// act [slots, n_ff] = activation(gate x + bias, up x + bias). Gate and up of an expert lie `expert_rows` rows apart from
// the next expert's: n_ff each on their own, 2 n_ff where they are merged; the kernel cannot tell the two apart.
extern "C" __global__ void expert_gate_up(const uint8_t* __restrict__ gate, const uint8_t* __restrict__ up,
                                          size_t row_bytes, int up_first, int n_ff, int expert_rows, int n_columns,
                                          const float* __restrict__ values, const int8_t* __restrict__ codes,
                                          const float* __restrict__ scales, const float* __restrict__ gate_bias,
                                          const float* __restrict__ up_bias, const int* __restrict__ order,
                                          const int* __restrict__ bounds, int slots_per_input, int first_expert,
                                          int kind, float* __restrict__ act) {
    const int row = blockIdx.x * 128 + threadIdx.x, expert = first_expert + blockIdx.z;
    if (row >= n_ff) return;
    const Slots slots = slots_of(order, bounds, expert, slots_per_input);
    if (slots.count <= 0) return;
    const size_t matrix_row = static_cast<size_t>(expert) * expert_rows + row;
    const Activations in = {values, codes, scales};
    float gates[tile], ups[tile];
    dot<tile>(row_of(gate, row_bytes, matrix_row, n_columns), n_columns, in, slots.input, gates);
    dot<tile>(row_of(up, row_bytes, up_first + matrix_row, n_columns), n_columns, in, slots.input, ups);
#pragma unroll
    for (int i = 0; i < tile; i++) {
        if (i >= slots.count) break;
        const float g = gate_bias == nullptr ? gates[i] : __fadd_rn(gates[i], gate_bias[matrix_row]);
        const float u = up_bias == nullptr ? ups[i] : __fadd_rn(ups[i], up_bias[matrix_row]);
        act[static_cast<size_t>(slots.slot[i]) * n_ff + row] = activate(kind, g, u);
    }
}
LAUNCHABLE(expert_gate_up)
