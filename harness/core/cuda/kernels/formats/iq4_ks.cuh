// IQ4_KS (ik_llama.cpp): f32 d before the row; 256 weights: 8 bytes of scale and table bit, 128 of nibbles.
// w = d (s - 127) value; the lowest bit of the byte is the table bit and counts as 0 in s.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + 4 + static_cast<size_t>(index / 8) * 136;
    const int part = index % 8;
    const int packed = bytes[part];
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 8 + 16 * part + 4 * i);
        block.codes[i] = value_4(word & 0x0f0f0f0fu, (packed & 1) != 0);
        block.codes[i + 4] = value_4(word >> 4 & 0x0f0f0f0fu, (packed & 1) != 0);
    }
    const float d = __uint_as_float(load_word(row));
    block.scale[0] = block.scale[1] = __fmul_rn(d, __int2float_rn((packed & 254) - 127));
}
