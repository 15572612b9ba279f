// IQ1_M: 256 weights: 32 low bytes of codebook indices, 16 of high bits and shifts, 4 words: scales, quarters of f16 d.
#pragma once
#include "ternary.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t low = chunk_4<0>(row, super, part), more = chunk_2<1>(row, super, part);
    for (int i = 0; i < 4; i++) {
        const uint32_t high = static_cast<uint32_t>(nibble(more, i));
        shifted_entry(byte_of(low, i) | (high & 7u) << 8, (high & 8u) != 0, block.codes + 2 * i);
    }
    uint32_t words[2];
    chunk_8<2>(row, super, 0, words);
    const uint32_t d_bits = (words[0] >> 12 & 15u) | (words[0] >> 28) << 4 | (words[1] >> 12 & 15u) << 8 | (words[1] >> 28) << 12;
    const float d = as_half(d_bits);
    const uint32_t word = (part < 4 ? words[0] : words[1]) >> part / 2 % 2 * 16;
    for (int side = 0; side < 2; side++) {
        const int scale = static_cast<int>(word >> (part % 2 * 6 + side * 3) & 7u);
        block.scale[side] = __fmul_rn(__fmul_rn(d, __int2float_rn(2 * scale + 1)), 0.125f);
    }
}
