// IQ4_XS: 256 weights: f16 d, 2 + 4 bytes of 6-bit scales, 128 bytes of nibbles into a table. w = d (s - 32) value.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 136;
    const int part = index % 8;
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 8 + 16 * part + 4 * i);
        block.codes[i] = value_4(word & 0x0f0f0f0fu, false);
        block.codes[i + 4] = value_4(word >> 4 & 0x0f0f0f0fu, false);
    }
    const int scale = nibble(bytes + 4, part) | bit_pair(bytes + 2, part) << 4;
    block.scale[0] = block.scale[1] = __fmul_rn(load_half(bytes), __int2float_rn(scale - 32));
}
