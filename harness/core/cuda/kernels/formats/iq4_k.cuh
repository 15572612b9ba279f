// IQ4_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 4 + 8 bytes of 6-bit scales, 128 bytes of nibbles.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t shifts = chunk_2<1>(row, super) >> 2 * part;
    uint32_t words[4];
    chunk_16<4>(row, super, part, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = value_4(words[i] & 0x0f0f0f0fu, bit(shifts, 0) != 0);
        block.codes[i + 4] = value_4(words[i] >> 4 & 0x0f0f0f0fu, bit(shifts, 1) != 0);
    }
    const float d = as_half(chunk_2<0>(row, super));
    const uint32_t low = chunk_1<3>(row, super, part), high = chunk_1<2>(row, super, part / 2) >> part % 2 * 4;
    for (int side = 0; side < 2; side++) {
        block.scale[side] = __fmul_rn(d, __int2float_rn((nibble(low, side) | bit_pair(high, side) << 4) - 32));
    }
}
