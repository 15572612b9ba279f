// IQ2_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 8 bytes of scales, 64 of 2-bit codes. w = d (s - 8) value.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t shifts = chunk_2<1>(row, super) >> 2 * part, scales = chunk_1<2>(row, super, part);
    uint32_t words[8];
    two_chunks_16<3>(row, super, part / 4 * 2, words);
    for (int i = 0; i < 8; i++) {
        block.codes[i] = value_2(words[i] >> part % 4 * 2 & 0x03030303u, bit(shifts, i / 4) != 0);
    }
    const float d = as_half(chunk_2<0>(row, super));
    for (int side = 0; side < 2; side++) block.scale[side] = __fmul_rn(d, __int2float_rn(nibble(scales, side) - 8));
}
