// Element-wise ends of the feed-forward part.
#include "activation.cuh"

// Launch: grid (ceil(n_columns / 128), T), 128 threads. x' [T, n] = x + sum over ranks ascending of weight * y[slot].
// Reference: moe_down; exact given y.
extern "C" __global__ void combine_slots(const float* __restrict__ y, const float* __restrict__ weights, int top_k,
                                         const float* residual, float* out, int n_columns) {
    const int column = blockIdx.x * 128 + threadIdx.x;
    if (column >= n_columns) return;
    float sum = 0.0f;
    for (int rank = 0; rank < top_k; rank++) {
        const size_t slot = static_cast<size_t>(blockIdx.y) * top_k + rank;
        sum = __fmaf_rn(weights[slot], y[slot * n_columns + column], sum);
    }
    const size_t at = static_cast<size_t>(blockIdx.y) * n_columns + column;
    out[at] = residual == nullptr ? sum : __fadd_rn(residual[at], sum);
}
LAUNCHABLE(combine_slots)

// act [rows, n_ff] from gate and up, rows `stride` apart: two products' results, or the halves of one.
// Launch: grid (ceil(n_ff / 128), rows), 128 threads. Reference: activate; to the bit.
extern "C" __global__ void activate_rows(const float* __restrict__ gate, const float* __restrict__ up, int stride,
                                         int n_ff, int kind, float* __restrict__ act) {
    const int column = blockIdx.x * 128 + threadIdx.x;
    if (column >= n_ff) return;
    const size_t from = static_cast<size_t>(blockIdx.y) * stride + column;
    act[static_cast<size_t>(blockIdx.y) * n_ff + column] = activate(kind, gate[from], up[from]);
}
LAUNCHABLE(activate_rows)
