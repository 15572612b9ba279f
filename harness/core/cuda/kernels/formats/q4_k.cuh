// Q4_K: 256 weights: f16 d, f16 dmin, 12 bytes of 6-bit scales and minimums, then per 64 weights 32 bytes of nibbles.
#pragma once
#include "k_scales.cuh"

constexpr int group = 32;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t words[8];
    two_chunks_16<2>(row, super, part / 2 * 2, words);
    for (int i = 0; i < 8; i++) block.codes[i] = static_cast<int>(words[i] >> part % 2 * 4 & 0x0f0f0f0fu);
    float scale, minimum;
    k_scale<1>(row, super, part, scale, minimum);
    const uint32_t both = chunk_4<0>(row, super);
    block.scale[0] = block.scale[1] = __fmul_rn(as_half(both), scale);
    block.minimum[0] = block.minimum[1] = __fmul_rn(as_half(both >> 16), minimum);
}
