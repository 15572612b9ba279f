// Rows of weights times a few rows of activations, in the order docs/numerics.md fixes; what products are made of where
// tensor cores are not worth it. A block of 256 threads has 32 rows.
//
// Activations: int8 codes [T, K] with scales [T, K/32] for quantised weights, float [T, K] for plain ones.
// FORMAT_FILE names the weights' format; each translation unit is compiled once per format.
#pragma once
#include FORMAT_FILE
#include "codebook.cuh"

constexpr int block_rows = 32, block_threads = 256;

struct Activations {
    const float* values;   // plain formats
    const int8_t* codes;   // quantised formats
    const float* scales;
};

#ifdef PLAIN

// Eight neighbouring threads share a row, a thread one of the eight partial sums: neighbours read neighbouring numbers.
__device__ __forceinline__ int own_row() { return threadIdx.x / 8; }
__device__ __forceinline__ bool has_sum() { return threadIdx.x % 8 == 0; }

// sum[i] = row . input i. Eight partial sums by column modulo 8, combined as a tree. All threads must take part.
template <int n>
__device__ __forceinline__ void dot(const Row& row, int n_columns, Activations in, const int (&inputs)[n],
                                    float (&sum)[n]) {
#pragma unroll
    for (int i = 0; i < n; i++) sum[i] = 0.0f;
#pragma unroll(n == 1 ? 32 : 2)  // so many loads are under way while the chain waits
    for (int column = threadIdx.x % 8; column < n_columns; column += 8) {
        const float weight = load_plain(row, column);
#pragma unroll
        for (int i = 0; i < n; i++) {
            const float value = in.values[static_cast<size_t>(inputs[i]) * n_columns + column];
            sum[i] = __fmaf_rn(weight, value, sum[i]);
        }
    }
#pragma unroll
    for (int i = 0; i < n; i++) {
        for (int distance = 4; distance > 0; distance /= 2) {
            sum[i] = __fadd_rn(sum[i], __shfl_xor_sync(FULL_MASK, sum[i], distance));
        }
    }
}

#else

constexpr int groups = 32 / group, terms = has_minimum ? 2 * groups : groups, n_warps = block_threads / 32;
// 64 bytes of weights a lane are under way at once: four blocks, or two of a format of 8 bits; two as well where a block
// has two terms. More of them would not stay in registers.
constexpr int bytes_of_32 = bytes_before(sizeof(fields) / sizeof(Field)) * 32 / BLOCK_COLUMNS;
constexpr int warp_blocks = bytes_of_32 < 32 ? 4 / terms : 2, step_blocks = n_warps * warp_blocks;

// A thread has a row of the block's 32, its warp every eighth few blocks of columns: 32 threads load 32 chunks.
__device__ __forceinline__ int own_row() { return threadIdx.x % 32; }
__device__ __forceinline__ bool has_sum() { return threadIdx.x < 32; }

// One block of 32 columns as what is to be added to the sum: x * y for each of its terms, 32 rows apart.
__device__ __forceinline__ void put_terms(const Block& block, const int* codes, float scale, float2* out) {
    const int ones = 0x01010101;
    int products[2] = {0, 0}, totals[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int part = group == 16 ? i / 4 : 0;
        products[part] = __dp4a(block.codes[i], codes[i], products[part]);
        if (has_minimum) totals[part] = __dp4a(ones, codes[i], totals[part]);
    }
#pragma unroll
    for (int part = 0; part < groups; part++) {
        out[part * 32] = {__int2float_rn(products[part]), __fmul_rn(block.scale[part], scale)};
        if (has_minimum) {
            out[(groups + part) * 32] = {-__int2float_rn(totals[part]), __fmul_rn(block.minimum[part], scale)};
        }
    }
}

// sum[0] = row . input 0 where has_sum(): what a warp finds of its blocks is exact, so all warps work side by side; what
// rounds, one fma a term, is done in order by one warp a step, in turns. All threads of the block must take part.
__device__ __forceinline__ void dot(const Row& row, int n_columns, Activations in, const int (&inputs)[1],
                                    float (&sum)[1]) {
    SHARED(float2, found, 2 * step_blocks * terms * 32);
    SHARED(float, sums, 32);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n_blocks = n_columns / 32;
    const int4* codes = reinterpret_cast<const int4*>(in.codes + static_cast<size_t>(inputs[0]) * n_columns);
    const float* scales = in.scales + static_cast<size_t>(inputs[0]) * n_blocks;
    if (warp == 0) sums[lane] = 0.0f;
#pragma unroll 1
    for (int step = 0; step * step_blocks < n_blocks; step++) {
        float2* now = found + step % 2 * step_blocks * terms * 32 + lane;
#pragma unroll
        for (int i = 0; i < warp_blocks; i++) {
            const int own = warp * warp_blocks + i, index = min(step * step_blocks + own, n_blocks - 1);
            Block block;
#ifdef NEIGHBOURS  // of a format whose blocks share bytes: whole rows are made of them, and so are a warp's steps
            static_assert(NEIGHBOURS == warp_blocks, "a warp's blocks of a step are neighbours");
            decode_neighbour(row, min(step * n_warps + warp, n_blocks / NEIGHBOURS - 1), i, block);
#else
            decode(row, index, block);
#endif
            const int4 low = codes[2 * index], high = codes[2 * index + 1];
            const int words[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
            put_terms(block, words, scales[index], now + own * terms * 32);
        }
        __syncthreads();
        if (warp != step % n_warps) continue;
        float running = sums[lane];
        const int n_terms = min(step_blocks, n_blocks - step * step_blocks) * terms;
        for (int i = 0; i < n_terms; i++) running = __fmaf_rn(now[i * 32].x, now[i * 32].y, running);
        sums[lane] = running;
    }
    __syncthreads();
    sum[0] = has_sum() ? sums[lane] : 0.0f;
}

#endif
