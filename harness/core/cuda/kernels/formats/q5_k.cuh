// Q5_K: as Q4_K, with 32 bytes of fifth bits before the nibbles; bit i of a byte belongs to part i.
#pragma once
#include "k_scales.cuh"

constexpr int group = 32;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t nibbles[8], fifths[8];
    two_chunks_16<3>(row, super, part / 2 * 2, nibbles);
    two_chunks_16<2>(row, super, 0, fifths);
    for (int i = 0; i < 8; i++) {
        const uint32_t fifth = fifths[i] >> part & 0x01010101u;
        block.codes[i] = static_cast<int>((nibbles[i] >> part % 2 * 4 & 0x0f0f0f0fu) | fifth << 4);
    }
    float scale, minimum;
    k_scale<1>(row, super, part, scale, minimum);
    const uint32_t both = chunk_4<0>(row, super);
    block.scale[0] = block.scale[1] = __fmul_rn(as_half(both), scale);
    block.minimum[0] = block.minimum[1] = __fmul_rn(as_half(both >> 16), minimum);
}
