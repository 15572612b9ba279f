// IQ4_KS (ik_llama.cpp): f32 d before the row; 256 weights: 8 bytes of scale and table bit, 128 of nibbles.
// w = d (s - 127) value; the lowest bit of the byte is the table bit and counts as 0 in s.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const int packed = static_cast<int>(chunk_1<0>(row, super, part));
    uint32_t words[4];
    chunk_16<1>(row, super, part, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = value_4(words[i] & 0x0f0f0f0fu, (packed & 1) != 0);
        block.codes[i + 4] = value_4(words[i] >> 4 & 0x0f0f0f0fu, (packed & 1) != 0);
    }
    const float d = __uint_as_float(row_header<uint32_t>(row));
    block.scale[0] = block.scale[1] = __fmul_rn(d, __int2float_rn((packed & 254) - 127));
}
