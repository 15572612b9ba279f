// Which experts a token goes to, and which slots an expert gets. Ids and weights stay on the device.
#include "arithmetic.cuh"

// Launch: one warp per token; grid (T), 32 threads. logits float [T, n_expert] -> ids int [T, k] in descending order
// (ties to the lower expert), weights float [T, k]. gating 0 softmax, 1 sigmoid, 2 softmax over the chosen.
// counts int [n_expert] grow by what each expert got. Reference: route; exact.
extern "C" __global__ void choose_experts(const float* __restrict__ logits, int n_expert, int top_k, int gating,
                                          int renorm, float weight_scale, int* __restrict__ ids,
                                          float* __restrict__ weights, int* __restrict__ counts) {
    SHARED(float, scores, 1024);
    const float* row = logits + static_cast<size_t>(blockIdx.x) * n_expert;
    int* chosen = ids + static_cast<size_t>(blockIdx.x) * top_k;
    float* out = weights + static_cast<size_t>(blockIdx.x) * top_k;
    const int lane = threadIdx.x;
    for (int e = lane; e < n_expert; e += 32) scores[e] = row[e];
    __syncwarp();
    float largest = 0.0f, over = 0.0f;  // what shares are divided by: sixteen partial sums, one a lane
    for (int rank = 0; rank < top_k; rank++) {
        float best = NEGATIVE_INFINITY;
        int best_id = n_expert;
        for (int e = lane; e < n_expert; e += 32) {
            if (scores[e] > best) {
                best = scores[e];
                best_id = e;
            }
        }
        for (int distance = 16; distance > 0; distance /= 2) {
            const float other = __shfl_xor_sync(FULL_MASK, best, distance);
            const int other_id = __shfl_xor_sync(FULL_MASK, best_id, distance);
            if (other > best || (other == best && other_id < best_id)) {
                best = other;
                best_id = other_id;
            }
        }
        if (rank == 0) largest = best;
        const float share = gating == 1 ? __fdiv_rn(1.0f, __fadd_rn(1.0f, exponential(-best)))
                                        : exponential(__fadd_rn(best, -largest));
        if (lane == rank % 16) over = __fadd_rn(over, share);
        if (lane == 0) {
            const int expert = min(best_id, n_expert - 1);
            chosen[rank] = expert;
            out[rank] = share;
            scores[expert] = NEGATIVE_INFINITY;
            atomicAdd(counts + expert, 1);
        }
        __syncwarp();
    }
    if (gating == 0) {
        over = 0.0f;
        for (int e = lane; e < n_expert && lane < 16; e += 16) {
            over = __fadd_rn(over, exponential(__fadd_rn(row[e], -largest)));
        }
    }
    over = sum_of_sixteen_lanes(over);
    if (lane != 0) return;
    float sum = 0.0f;
    for (int rank = 0; rank < top_k; rank++) {
        if (gating != 1) out[rank] = __fdiv_rn(out[rank], over);
        sum = __fadd_rn(sum, out[rank]);
    }
    for (int rank = 0; rank < top_k; rank++) {
        const float share = renorm ? __fdiv_rn(out[rank], sum) : out[rank];
        out[rank] = __fmul_rn(share, weight_scale);
    }
}
LAUNCHABLE(choose_experts)

// Launch: one warp per expert; grid (n_expert), 32 threads. From ids [n_slots]: bounds int [n_expert + 1], and `order`,
// slots by expert, ascending within one: the same on every run.
extern "C" __global__ void sort_slots(const int* __restrict__ ids, int n_slots, int* __restrict__ order,
                                      int* __restrict__ bounds) {
    const int expert = blockIdx.x, lane = threadIdx.x;
    int before = 0;
    for (int slot = lane; slot < n_slots; slot += 32) before += ids[slot] < expert;
    for (int distance = 16; distance > 0; distance /= 2) before += __shfl_xor_sync(FULL_MASK, before, distance);
    int next = before;
    for (int first = 0; first < n_slots; first += 32) {
        const int slot = first + lane;
        const bool is_own = slot < n_slots && ids[slot] == expert;
        const unsigned owners = __ballot_sync(FULL_MASK, is_own);
        if (is_own) order[next + __popc(owners & ((1u << lane) - 1u))] = slot;
        next += __popc(owners);
    }
    if (lane == 0) {
        bounds[expert] = before;
        if (expert == static_cast<int>(gridDim.x) - 1) bounds[gridDim.x] = n_slots;
    }
}
LAUNCHABLE(sort_slots)
