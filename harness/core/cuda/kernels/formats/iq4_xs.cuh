// IQ4_XS: 256 weights: f16 d, 2 + 4 bytes of 6-bit scales, 128 bytes of nibbles into a table. w = d (s - 32) value.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t words[4];
    chunk_16<3>(row, super, part, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = value_4(words[i] & 0x0f0f0f0fu, false);
        block.codes[i + 4] = value_4(words[i] >> 4 & 0x0f0f0f0fu, false);
    }
    const int low = nibble(chunk_1<2>(row, super, part / 2), part % 2);
    const int scale = low | bit_pair(chunk_2<1>(row, super), part) << 4;
    block.scale[0] = block.scale[1] = __fmul_rn(as_half(chunk_2<0>(row, super)), __int2float_rn(scale - 32));
}
