// Attention in chunks of 256 positions counted from 0: one block per (head, token, chunk) leaves the chunk's maximum,
// sum and weighted values; a second kernel combines chunks in ascending order and adds the sink. The order of additions
// depends on the number of keys alone. Cache: f16 [n_ctx, n_head_kv, head_dim]. Reference: attention; exact.
//
// Tokens come in slices, so that partial results stay small: `q` and `a` begin at `first_token`.
// The grid's chunks come from the KV bucket; chunks beyond the last key or before the window end at once.
#include "arithmetic.cuh"

constexpr int chunk = 256;

struct Keys {
    int first, end;  // positions of this chunk that the token sees
};

__device__ __forceinline__ Keys visible(int index, int position, int window) {
    const int oldest = window > 0 ? max(0, position + 1 - window) : 0;
    return {max(index * chunk, oldest), min((index + 1) * chunk, position + 1)};
}

// The largest of 256 threads' values, in every thread.
__device__ __forceinline__ float block_largest(float value) {
    SHARED(float, parts, 8);
    for (int distance = 16; distance > 0; distance /= 2) {
        value = fmaxf(value, __shfl_xor_sync(FULL_MASK, value, distance));
    }
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    value = parts[threadIdx.x % 8];
    for (int distance = 4; distance > 0; distance /= 2) {
        value = fmaxf(value, __shfl_xor_sync(FULL_MASK, value, distance));
    }
    return value;
}

// The sum of a chunk's shares, in the first threads: lanes by key modulo 16. A whole warp calls it.
__device__ __forceinline__ float sum_of_shares(const float* shares) {
    float sum = 0.0f;
    for (int key = threadIdx.x % 16; key < chunk; key += 16) sum = __fadd_rn(sum, shares[key]);
    return sum_of_sixteen_lanes(sum);
}

// Launch: grid (n_head, T, chunks), 256 threads: a thread per key, then a thread per dimension of the value.
// partial: float [T, n_head, chunks, 2 + head_dim_v].
extern "C" __global__ void attention_chunk(const float* __restrict__ q, const half_bits* __restrict__ keys,
                                           const half_bits* __restrict__ values, int n_head_kv, int head_dim,
                                           int head_dim_v, float scale, int window, int first_token,
                                           const int* __restrict__ position, float* __restrict__ partial) {
    SHARED(float, shares, chunk);
    const int head = blockIdx.x, token = blockIdx.y, n_head = gridDim.x, kv_head = head / (n_head / n_head_kv);
    const Keys seen = visible(blockIdx.z, *position + first_token + token, window);
    if (seen.first >= seen.end) return;
    const int key = static_cast<int>(blockIdx.z) * chunk + threadIdx.x;
    const bool is_seen = key >= seen.first && key < seen.end;
    float score = NEGATIVE_INFINITY;
    if (is_seen) {
        const float* query = q + (static_cast<size_t>(token) * n_head + head) * head_dim;
        const half_bits* k = keys + (static_cast<size_t>(key) * n_head_kv + kv_head) * head_dim;
        float sum = 0.0f;
        for (int i = 0; i < head_dim; i++) sum = __fmaf_rn(query[i], half_to_float(k[i]), sum);
        score = __fmul_rn(sum, scale);
    }
    const float largest = block_largest(score);
    shares[threadIdx.x] = is_seen ? exponential(__fadd_rn(score, -largest)) : 0.0f;
    __syncthreads();
    float* out = partial + ((static_cast<size_t>(token) * n_head + head) * gridDim.z + blockIdx.z) * (2 + head_dim_v);
    if (threadIdx.x < 32) {
        const float total = sum_of_shares(shares);
        if (threadIdx.x == 0) {
            out[0] = largest;
            out[1] = total;
        }
    }
    for (int i = threadIdx.x; i < head_dim_v; i += 256) {
        float sum = 0.0f;
        for (int p = seen.first; p < seen.end; p++) {
            const float v = half_to_float(values[(static_cast<size_t>(p) * n_head_kv + kv_head) * head_dim_v + i]);
            sum = __fmaf_rn(shares[p - static_cast<int>(blockIdx.z) * chunk], v, sum);
        }
        out[2 + i] = sum;
    }
}
LAUNCHABLE(attention_chunk)

// Launch: grid (n_head, T), 128 threads. a: float [T, n_head, head_dim_v].
extern "C" __global__ void attention_combine(const float* __restrict__ partial, const float* __restrict__ sinks,
                                             int n_chunks, int head_dim_v, int window, int first_token,
                                             const int* __restrict__ position, float* __restrict__ a) {
    const int head = blockIdx.x, token = blockIdx.y, n_head = gridDim.x;
    const size_t row = static_cast<size_t>(token) * n_head + head;
    for (int i = threadIdx.x; i < head_dim_v; i += 128) {
        float largest = NEGATIVE_INFINITY, total = 0.0f, sum = 0.0f;
        for (int index = 0; index < n_chunks; index++) {
            const Keys seen = visible(index, *position + first_token + token, window);
            if (seen.first >= seen.end) continue;
            const float* part = partial + (row * n_chunks + index) * (2 + head_dim_v);
            const float both = fmaxf(largest, part[0]);
            const float before = exponential(__fadd_rn(largest, -both)), now = exponential(__fadd_rn(part[0], -both));
            total = __fadd_rn(__fmul_rn(total, before), __fmul_rn(part[1], now));
            sum = __fadd_rn(__fmul_rn(sum, before), __fmul_rn(part[2 + i], now));
            largest = both;
        }
        if (sinks != nullptr) {
            const float both = fmaxf(largest, sinks[head]), before = exponential(__fadd_rn(largest, -both));
            total = __fadd_rn(__fmul_rn(total, before), exponential(__fadd_rn(sinks[head], -both)));
            sum = __fmul_rn(sum, before);
        }
        a[row * head_dim_v + i] = __fdiv_rn(sum, total);
    }
}
LAUNCHABLE(attention_combine)
