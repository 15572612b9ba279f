// One weight row times a few tokens, in the order docs/numerics.md fixes; the heart of every product.
//
// Tokens' activations: int8 codes [T, K] with scales [T, K/32] for quantised weights, float [T, K] for plain ones.
// FORMAT_FILE names the weights' format; each translation unit is compiled once per format.
#pragma once
#include FORMAT_FILE

struct Activations {
    const float* values;   // plain formats
    const int8_t* codes;   // quantised formats
    const float* scales;
};

#ifdef PLAIN

// sum[i] = row . token i. Eight partial sums by column modulo 8, combined as a tree.
template <int n>
__device__ __forceinline__ void dot(const Row& row, int n_columns, Activations in, const int (&tokens)[n],
                                    float (&sum)[n]) {
    float lanes[n][8] = {};
    for (int column = 0; column < n_columns; column += 8) {
#pragma unroll
        for (int lane = 0; lane < 8; lane++) {
            if (column + lane >= n_columns) break;
            const float weight = load_plain(row, column + lane);
#pragma unroll
            for (int i = 0; i < n; i++) {
                const float value = in.values[static_cast<size_t>(tokens[i]) * n_columns + column + lane];
                lanes[i][lane] = __fmaf_rn(weight, value, lanes[i][lane]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < n; i++) {
        const float* s = lanes[i];
        const float even = __fadd_rn(__fadd_rn(s[0], s[4]), __fadd_rn(s[2], s[6]));
        sum[i] = __fadd_rn(even, __fadd_rn(__fadd_rn(s[1], s[5]), __fadd_rn(s[3], s[7])));
    }
}

#else

__device__ __forceinline__ void add_block(const Block& block, const int* codes, float scale, float& sum) {
    const int ones = 0x01010101;
    int products[2] = {0, 0}, totals[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int part = group == 16 ? i / 4 : 0;
        products[part] = __dp4a(block.codes[i], codes[i], products[part]);
        if (has_minimum) totals[part] = __dp4a(ones, codes[i], totals[part]);
    }
#pragma unroll
    for (int part = 0; part < 32 / group; part++) {
        sum = __fmaf_rn(__int2float_rn(products[part]), __fmul_rn(block.scale[part], scale), sum);
    }
    if (!has_minimum) return;
#pragma unroll
    for (int part = 0; part < 32 / group; part++) {
        sum = __fmaf_rn(-__int2float_rn(totals[part]), __fmul_rn(block.minimum[part], scale), sum);
    }
}

// sum[i] = row . token i, block after block of 32 columns.
template <int n>
__device__ __forceinline__ void dot(const Row& row, int n_columns, Activations in, const int (&tokens)[n],
                                    float (&sum)[n]) {
    const int n_blocks = n_columns / 32;
#pragma unroll
    for (int i = 0; i < n; i++) sum[i] = 0.0f;
    for (int index = 0; index < n_blocks; index++) {
        Block block;
        decode(row, index, block);
#pragma unroll
        for (int i = 0; i < n; i++) {
            const size_t at = static_cast<size_t>(tokens[i]) * n_blocks + index;
            add_block(block, reinterpret_cast<const int*>(in.codes + at * 32), in.scales[at], sum[i]);
        }
    }
}

#endif
