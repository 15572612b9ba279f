// Q2_K: 256 weights: 16 nibble pairs (scale, minimum), 64 bytes of 2-bit codes, f16 d, f16 dmin.
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t words[8];
    two_chunks_16<1>(row, super, part / 4 * 2, words);
    for (int i = 0; i < 8; i++) block.codes[i] = static_cast<int>(words[i] >> part % 4 * 2 & 0x03030303u);
    const uint32_t both = chunk_4<2>(row, super), packed = chunk_2<0>(row, super, part);
    const float d = as_half(both), dmin = as_half(both >> 16);
    for (int i = 0; i < 2; i++) {
        block.scale[i] = __fmul_rn(d, __int2float_rn(nibble(packed, 2 * i)));
        block.minimum[i] = __fmul_rn(dmin, __int2float_rn(nibble(packed, 2 * i + 1)));
    }
}
