// Attention of a ubatch by f16 mma: queries and probabilities are rounded to f16, sums are float32, and exp is the
// card's. Reference: attention; relative L2 1e-3.
//
// A block takes 64 rows of one KV head: a row is a token and one of the `group` query heads that share the keys, heads
// fastest, so that 64 / group tokens' keys are loaded once for all of them. It walks the keys in tiles of 64 counted
// from position 0, from the oldest that its first token sees to its last token. A tile that a row does not see leaves
// the row as it was, so the result depends on the keys alone, not on which tokens share a block or a ubatch.
//
// Shared memory: a tile of keys and one of values, see kv_tiles.cuh. Keys of the next tile travel while this one's values are
// added, values while scores are made.
//
// Four warps of 16 rows each. Scores are kept in units of log 2, so that exp2 makes shares of them.
#include "arithmetic.cuh"
#include "kv_tiles.cuh"

constexpr int rows = 64;
constexpr float log2_e = 1.44269504f;

// scores = 16 queries times 64 keys.
template <int width>
__device__ __forceinline__ void multiply_keys(const uint32_t (&q)[width / 16][4], const uint4* keys, float (&scores)[8][4]) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        for (int e = 0; e < 4; e++) scores[j][e] = 0.0f;
    }
#pragma unroll
    for (int step = 0; step < width / 16; step++) {
#pragma unroll
        for (int pair = 0; pair < 4; pair++) {
            uint32_t k[4];
            const int row = pair * 16 + lane % 8 + (lane >> 4) * 8;
            load_matrix_x4(k, keys + Tile<width>::place(row, 2 * step + (lane >> 3 & 1)));
            mma_f16_16816(scores[2 * pair], q[step], {k[0], k[1]});
            mma_f16_16816(scores[2 * pair + 1], q[step], {k[2], k[3]});
        }
    }
}

// sum += shares times 64 values. The accumulators of scores are, in pairs, the fragments of shares.
template <int width>
__device__ __forceinline__ void add_values(const float (&shares)[8][4], const uint4* values, float (&sum)[width / 8][4]) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int step = 0; step < tile / 16; step++) {
        const float(&low)[4] = shares[2 * step], (&high)[4] = shares[2 * step + 1];
        const uint32_t p[4] = {pack_halves(low[0], low[1]), pack_halves(low[2], low[3]), pack_halves(high[0], high[1]),
                               pack_halves(high[2], high[3])};
#pragma unroll
        for (int pair = 0; pair < width / 16; pair++) {
            uint32_t v[4];
            const int row = step * 16 + lane % 8 + (lane >> 3 & 1) * 8;
            load_matrix_x4_transposed(v, values + Tile<width>::place(row, 2 * pair + (lane >> 4)));
            mma_f16_16816(sum[2 * pair], p, {v[0], v[1]});
            mma_f16_16816(sum[2 * pair + 1], p, {v[2], v[3]});
        }
    }
}

// One of the two rows of a warp's sixteen that a thread has numbers of, four threads to a row.
struct Row {
    int token, head;     // of the ubatch; -1 for a row that is nobody's
    int oldest, newest;  // positions it sees
    float largest, total;
};

__device__ __forceinline__ float largest_of_four(float value) {
    value = fmaxf(value, __shfl_xor_sync(FULL_MASK, value, 1));
    return fmaxf(value, __shfl_xor_sync(FULL_MASK, value, 2));
}

__device__ __forceinline__ float sum_of_four(float value) {
    value = __fadd_rn(value, __shfl_xor_sync(FULL_MASK, value, 1));
    return __fadd_rn(value, __shfl_xor_sync(FULL_MASK, value, 2));
}

// Scores become shares of the largest so far; returns what earlier shares of each row are worth beside them.
__device__ __forceinline__ float2 to_shares(float (&scores)[8][4], Row (&row)[2], int first_key, float scale,
                                            bool all_seen) {
    float fix[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        Row& own = row[half];
        float largest = own.largest;
#pragma unroll
        for (int j = 0; j < 8; j++) {
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                const int key = first_key + j * 8 + threadIdx.x % 4 * 2 + e % 2;
                const bool is_seen = all_seen || (key >= own.oldest && key <= own.newest);
                scores[j][e] = is_seen ? __fmul_rn(scores[j][e], scale) : NEGATIVE_INFINITY;
                largest = fmaxf(largest, scores[j][e]);
            }
        }
        largest = largest_of_four(largest);
        const float base = largest == NEGATIVE_INFINITY ? 0.0f : largest;
        fix[half] = exp2_of_card(__fadd_rn(own.largest, -base));
        own.largest = largest;
        own.total = __fmul_rn(own.total, fix[half]);
#pragma unroll
        for (int j = 0; j < 8; j++) {
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                scores[j][e] = exp2_of_card(__fadd_rn(scores[j][e], -base));
                own.total = __fadd_rn(own.total, scores[j][e]);
            }
        }
    }
    return {fix[0], fix[1]};
}

// Where the result goes: floats [T, n_head, head_dim_v], or where `codes` are given, those and their scales.
struct Result {
    float* values;
    int8_t* codes;
    float* scales;
};

// One row of the result, share times the sums, from `out` on.
template <int width>
__device__ __forceinline__ void leave_values(const float (&sum)[width / 8][4], int half, float share, int head_dim_v,
                                             float* out) {
#pragma unroll
    for (int j = 0; j < width / 8; j++) {
        const int column = j * 8 + threadIdx.x % 4 * 2;
        if (column >= head_dim_v) break;
        out[column] = __fmul_rn(sum[j][2 * half], share);
        out[column + 1] = __fmul_rn(sum[j][2 * half + 1], share);
    }
}

// The same row as quantize.cu would leave it, if it is somebody's: a block of 32 is eight numbers in each of the row's four
// threads. `first` numbers lie before it. All lanes of the warp must take part.
template <int width>
__device__ __forceinline__ void leave_codes(const float (&sum)[width / 8][4], int half, float share, bool is_somebodys,
                                            size_t first, int head_dim_v, const Result& result) {
#pragma unroll
    for (int block = 0; block < width / 32; block++) {
        float values[8], largest = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            values[i] = __fmul_rn(sum[block * 4 + i / 2][2 * half + i % 2], share);
            largest = fmaxf(largest, fabsf(values[i]));
        }
        const Step step = step_of(largest_of_four(largest));
        if (!is_somebodys || block * 32 >= head_dim_v) continue;
        const size_t at = first + block * 32;
#pragma unroll
        for (int i = 0; i < 8; i += 2) {
            const int low = code_of(values[i], step.inverse) & 255, high = code_of(values[i + 1], step.inverse) & 255;
            uint16_t* pair = reinterpret_cast<uint16_t*>(result.codes + at + i * 4 + threadIdx.x % 4 * 2);
            *pair = static_cast<uint16_t>(low | high << 8);
        }
        if (threadIdx.x % 4 == 0) result.scales[at / 32] = step.scale;
    }
}

struct Shape {
    int n_tokens, n_head, n_head_kv, head_dim, head_dim_v;
    float scale;
    int window;
};

template <int width, bool is_staged>
__device__ __forceinline__ void attend(const float* q, KvSide keys, KvSide values, const float* sinks,
                                       const Shape& shape, int position, const Result& result) {
    SHARED(uint4, key_tile, tile * width / 8);
    SHARED(uint4, value_tile, tile * width / 8);
    Tiles<width, is_staged> key_tiles = {keys, shape.n_head_kv, shape.head_dim, key_tile, nullptr, {}};
    Tiles<width, is_staged> value_tiles = {values, shape.n_head_kv, shape.head_dim_v, value_tile, nullptr, {}};
    if constexpr (is_staged) {
        SHARED(uint4, codes, 2 * tile * width / 16);
        key_tiles.codes = codes;
        value_tiles.codes = codes + tile * width / 16;
    }
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = shape.n_head / shape.n_head_kv;
    const int n_tokens = rows / group, first_token = (gridDim.x - 1 - blockIdx.x) * n_tokens;  // longest first
    const int last_token = min(first_token + n_tokens, shape.n_tokens) - 1;
    const auto oldest_of = [&](int token) {
        return shape.window > 0 ? max(0, position + token + 1 - shape.window) : 0;
    };
    Row row[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int index = warp * 16 + half * 8 + lane / 4, token = first_token + index / group;
        const bool is_there = index < n_tokens * group && token <= last_token;
        row[half] = {is_there ? token : -1, static_cast<int>(blockIdx.y) * group + index % group, oldest_of(token),
                     is_there ? position + token : -1, NEGATIVE_INFINITY, 0.0f};
    }
    uint32_t query[width / 16][4];
#pragma unroll
    for (int step = 0; step < width / 16; step++) {
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const Row& own = row[part % 2];
            const int column = step * 16 + part / 2 * 8 + lane % 4 * 2;
            const bool is_there = own.token >= 0 && column < shape.head_dim;
            const size_t at = (static_cast<size_t>(own.token) * shape.n_head + own.head) * shape.head_dim + column;
            query[step][part] = is_there ? pack_halves(q[at], q[at + 1]) : 0;
        }
    }
    float sum[width / 8][4];
#pragma unroll
    for (int j = 0; j < width / 8; j++) {
        for (int e = 0; e < 4; e++) sum[j][e] = 0.0f;
    }
    const int end = position + last_token + 1;
    const float scale = __fmul_rn(shape.scale, log2_e);
    int first_key = oldest_of(first_token) / tile * tile;
    key_tiles.fetch(first_key, end);
    for (; first_key < end; first_key += tile) {
        copy_async_wait<0>();
        key_tiles.settle();
        __syncthreads();
        value_tiles.fetch(first_key, end);
        float scores[8][4];
        multiply_keys<width>(query, key_tile, scores);
        if (key_tiles.land_in_place()) __syncthreads();
        key_tiles.fetch(first_key + tile, end);
        const bool all_seen = first_key + tile <= position + first_token + 1 && first_key >= oldest_of(last_token);
        const float2 fix = to_shares(scores, row, first_key, scale, all_seen);
#pragma unroll
        for (int j = 0; j < width / 8; j++) {
            for (int e = 0; e < 4; e++) sum[j][e] = __fmul_rn(sum[j][e], e < 2 ? fix.x : fix.y);
        }
        copy_async_wait<1>();
        value_tiles.settle();
        __syncthreads();
        add_values<width>(scores, value_tile, sum);
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const Row& own = row[half];
        float total = sum_of_four(own.total), share = 1.0f;
        if (sinks != nullptr) {
            const float sink = __fmul_rn(sinks[own.head], log2_e), both = fmaxf(own.largest, sink);
            share = exp2_of_card(__fadd_rn(own.largest, -both));
            total = __fadd_rn(__fmul_rn(total, share), exp2_of_card(__fadd_rn(sink, -both)));
        }
        share = __fdiv_rn(share, total);
        const size_t first = (static_cast<size_t>(max(own.token, 0)) * shape.n_head + own.head) * shape.head_dim_v;
        const bool is_somebodys = own.token >= 0;
        if (result.codes != nullptr) {
            leave_codes<width>(sum, half, share, is_somebodys, first, shape.head_dim_v, result);
        } else if (is_somebodys) {
            leave_values<width>(sum, half, share, shape.head_dim_v, result.values + first);
        }
    }
}

// Launch: grid (ceil(T / (64 / group)), n_head_kv), 128 threads. Heads are at most `width` wide and multiples of 8, of 32 for
// codes; at most 64 share a KV head. q float [T, n_head, head_dim], the result [T, n_head, head_dim_v]. Entry points are named for
// the widest head they take; those that end in _q8 are for a cache of which a side is q8_0.
#define ATTENTION_MMA(name, width, blocks, is_staged)                                                                  \
    extern "C" __global__ void __launch_bounds__(128, blocks) name(                                                    \
        const float* __restrict__ q, const void* __restrict__ keys, const half_bits* __restrict__ key_scales,          \
        const void* __restrict__ values, const half_bits* __restrict__ value_scales, const float* __restrict__ sinks,  \
        int n_tokens, int n_head, int n_head_kv, int head_dim, int head_dim_v, float scale, int window,                \
        const int* __restrict__ position, float* __restrict__ a, int8_t* __restrict__ codes,                           \
        float* __restrict__ scales) {                                                                                  \
        const Shape shape = {n_tokens, n_head, n_head_kv, head_dim, head_dim_v, scale, window};                        \
        const Result result = {a, codes, scales};                                                                      \
        attend<width, is_staged>(q, {keys, key_scales}, {values, value_scales}, sinks, shape, *position, result);      \
    }                                                                                                                  \
    LAUNCHABLE(name)

ATTENTION_MMA(attention_mma_64, 64, 3, false)
ATTENTION_MMA(attention_mma_128, 128, 2, false)
#ifdef COPIES_TRAVEL
ATTENTION_MMA(attention_mma_64_q8, 64, 3, true)
ATTENTION_MMA(attention_mma_128_q8, 128, 2, true)
#endif
