// Attention in chunks of 256 positions counted from 0: one block per (KV head, token, chunk) leaves each query head's
// maximum, sum and weighted values; a second kernel combines chunks in ascending order and adds the sink. The order of
// additions depends on the number of keys alone. Reference: attention; exact.
//
// Query heads that share keys are packed, up to eight to a block, so that a key is loaded once for all of them.
// Tokens come in slices, so that partial results stay small: `q` and `a` begin at `first_token`.
// The grid's chunks come from the KV bucket; chunks beyond the last key or before the window end at once.
#include "arithmetic.cuh"
#include "kv_cache.cuh"

constexpr int chunk = 256;
constexpr int piece = 32;  // columns of the queries that are in shared memory at a time

struct Seen {
    int first, end;  // positions of this chunk that the token sees
};

__device__ __forceinline__ Seen visible(int index, int position, int window) {
    const int oldest = window > 0 ? max(0, position + 1 - window) : 0;
    return {max(index * chunk, oldest), min((index + 1) * chunk, position + 1)};
}

struct Heads {
    int n_head_kv, kv_head, first, count;  // the packed heads are query heads first … first + count - 1
};

template <int packed> __device__ __forceinline__ Heads heads_of(int n_head, int n_head_kv) {
    const int group = n_head / n_head_kv, tiles = (group + packed - 1) / packed;
    const int kv_head = blockIdx.x / tiles, from = blockIdx.x % tiles * packed;
    return {n_head_kv, kv_head, kv_head * group + from, min(packed, group - from)};
}

// sum[h] = query h times key `key` (none where negative): one chain over the head's columns.
template <int packed, bool is_q8>
__device__ __forceinline__ void multiply_key(const float* query, KvSide keys, Heads heads, int head_dim, int key,
                                             float (&sum)[packed]) {
    SHARED(float, queries, piece * packed);
    const size_t head_row = (static_cast<size_t>(max(key, 0)) * heads.n_head_kv + heads.kv_head) * head_dim;
    for (int first = 0; first < head_dim; first += piece) {
        const int count = min(piece, head_dim - first);
        __syncthreads();
        for (int i = threadIdx.x; i < packed * piece; i += 256) {
            const int h = i / piece, column = i % piece;
            const bool is_there = h < heads.count && column < count;
            queries[column * packed + h] = is_there ? query[h * head_dim + first + column] : 0.0f;
        }
        __syncthreads();
        if (key < 0) continue;
        for (int column = 0; column < count; column += 8) {
            float k[8];
            if (head_dim % 8 == 0) {
                kv_eight<is_q8>(keys, head_row + first + column, k);
            } else {
                for (int i = 0; i < 8; i++) {
                    k[i] = column + i < count ? kv_number<is_q8>(keys, head_row + first + column + i) : 0.0f;
                }
            }
#pragma unroll
            for (int i = 0; i < 8; i++) {
#pragma unroll
                for (int h = 0; h < packed; h++) sum[h] = __fmaf_rn(k[i], queries[(column + i) * packed + h], sum[h]);
            }
        }
    }
}

// The largest of a head's 256 scores, from the largest of each of eight warps.
__device__ __forceinline__ float largest_of(const float* of_warps) {
    float value = of_warps[threadIdx.x % 8];
    for (int distance = 4; distance > 0; distance /= 2) {
        value = fmaxf(value, __shfl_xor_sync(FULL_MASK, value, distance));
    }
    return value;
}

// out[h][column] = shares [256][packed] times the values of the keys seen: one chain over the keys for each.
template <int packed, bool is_q8>
__device__ __forceinline__ void add_values(const float* shares, KvSide values, Heads heads, Seen seen, int head_dim_v,
                                           float* out, size_t stride) {
    constexpr int each = packed > 1 ? packed / 2 : 1;  // heads a thread adds for
    for (int item = threadIdx.x; item < head_dim_v * (packed / each); item += 256) {
        const int column = item % head_dim_v, h = item / head_dim_v * each;
        float sum[each] = {};
        for (int key = seen.first; key < seen.end; key++) {
            const size_t head_row = (static_cast<size_t>(key) * heads.n_head_kv + heads.kv_head) * head_dim_v;
            const float v = kv_number<is_q8>(values, head_row + column);
#pragma unroll
            for (int i = 0; i < each; i++) sum[i] = __fmaf_rn(shares[key % chunk * packed + h + i], v, sum[i]);
        }
        for (int i = 0; i < each && h + i < heads.count; i++) out[(h + i) * stride + column] = sum[i];
    }
}

struct Shape {
    int n_head, n_head_kv, head_dim, head_dim_v;
    float scale;
    int window, first_token;
};

template <int packed>
__device__ __forceinline__ void attend(const float* q, KvSide keys, KvSide values, const Shape& shape, int position,
                                       float* partial) {
    SHARED(float, of_warps, packed * 8);
    SHARED(float, shares, chunk * packed);
    const int token = blockIdx.y, index = blockIdx.z, thread = threadIdx.x, warp = thread / 32;
    const Heads heads = heads_of<packed>(shape.n_head, shape.n_head_kv);
    const Seen seen = visible(index, position + shape.first_token + token, shape.window);
    if (seen.first >= seen.end) return;
    const int key = index * chunk + thread;
    const bool is_seen = key >= seen.first && key < seen.end;
    const size_t row = static_cast<size_t>(token) * shape.n_head + heads.first;
    float score[packed] = {};
    if (keys.scales == nullptr) {
        multiply_key<packed, false>(q + row * shape.head_dim, keys, heads, shape.head_dim, is_seen ? key : -1, score);
    } else {
        multiply_key<packed, true>(q + row * shape.head_dim, keys, heads, shape.head_dim, is_seen ? key : -1, score);
    }
#pragma unroll
    for (int h = 0; h < packed; h++) {
        score[h] = is_seen ? __fmul_rn(score[h], shape.scale) : NEGATIVE_INFINITY;
        float largest = score[h];
        for (int distance = 16; distance > 0; distance /= 2) {
            largest = fmaxf(largest, __shfl_xor_sync(FULL_MASK, largest, distance));
        }
        if (thread % 32 == 0) of_warps[h * 8 + warp] = largest;
    }
    __syncthreads();
#pragma unroll
    for (int h = 0; h < packed; h++) {
        const float share = exponential(__fadd_rn(score[h], -largest_of(of_warps + h * 8)));
        shares[thread * packed + h] = is_seen ? share : 0.0f;
    }
    __syncthreads();
    const size_t stride = static_cast<size_t>(gridDim.z) * (2 + shape.head_dim_v);
    float* out = partial + row * stride + index * (2 + shape.head_dim_v);
    if (warp < heads.count) {  // sixteen partial sums, by key modulo 16
        const float largest = largest_of(of_warps + warp * 8);
        float sum = 0.0f;
        for (int i = thread % 16; i < chunk; i += 16) sum = __fadd_rn(sum, shares[i * packed + warp]);
        sum = sum_of_sixteen_lanes(sum);
        if (thread % 32 == 0) {
            out[warp * stride] = largest;
            out[warp * stride + 1] = sum;
        }
    }
    if (values.scales == nullptr) {
        add_values<packed, false>(shares, values, heads, seen, shape.head_dim_v, out + 2, stride);
    } else {
        add_values<packed, true>(shares, values, heads, seen, shape.head_dim_v, out + 2, stride);
    }
}

// Launch: grid (n_head_kv * ceil(group / packed), T, chunks), 256 threads: a thread per key, then per column of a value.
// partial: float [T, n_head, chunks, 2 + head_dim_v].
#define ATTENTION_CHUNK(packed)                                                                                        \
    extern "C" __global__ void attention_chunk_##packed(                                                               \
        const float* __restrict__ q, const void* __restrict__ keys, const half_bits* __restrict__ key_scales,          \
        const void* __restrict__ values, const half_bits* __restrict__ value_scales, int n_head, int n_head_kv,        \
        int head_dim, int head_dim_v, float scale, int window, int first_token, const int* __restrict__ position,      \
        float* __restrict__ partial) {                                                                                 \
        const Shape shape = {n_head, n_head_kv, head_dim, head_dim_v, scale, window, first_token};                     \
        attend<packed>(q, {keys, key_scales}, {values, value_scales}, shape, *position, partial);                      \
    }                                                                                                                  \
    LAUNCHABLE(attention_chunk_##packed)

ATTENTION_CHUNK(1)
ATTENTION_CHUNK(4)
ATTENTION_CHUNK(8)

// Launch: grid (n_head, T), 128 threads. a: float [T, n_head, head_dim_v], or where `codes` are given, what quantize.cu would
// make of it: a warp has a block of 32, of which a head is a multiple then.
extern "C" __global__ void attention_combine(const float* __restrict__ partial, const float* __restrict__ sinks,
                                             int n_chunks, int head_dim_v, int window, int first_token,
                                             const int* __restrict__ position, float* __restrict__ a,
                                             int8_t* __restrict__ codes, float* __restrict__ scales) {
    const int head = blockIdx.x, token = blockIdx.y, n_head = gridDim.x;
    const size_t row = static_cast<size_t>(token) * n_head + head;
    for (int i = threadIdx.x; i < head_dim_v; i += 128) {
        float largest = NEGATIVE_INFINITY, total = 0.0f, sum = 0.0f;
        for (int index = 0; index < n_chunks; index++) {
            const Seen seen = visible(index, *position + first_token + token, window);
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
        const float value = __fdiv_rn(sum, total);
        const size_t at = row * head_dim_v + i;
        if (codes == nullptr) {
            a[at] = value;
            continue;
        }
        const Quantized number = quantized(value);
        codes[at] = number.code;
        if (at % 32 == 0) scales[at / 32] = number.scale;
    }
}
LAUNCHABLE(attention_combine)
