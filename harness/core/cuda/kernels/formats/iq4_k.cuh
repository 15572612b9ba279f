// IQ4_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 4 + 8 bytes of 6-bit scales, 128 bytes of nibbles.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 144;
    const int part = index % 8;
    const bool low_shift = bit(bytes + 2, 2 * part) != 0, high_shift = bit(bytes + 2, 2 * part + 1) != 0;
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 16 + 16 * part + 4 * i);
        block.codes[i] = value_4(word & 0x0f0f0f0fu, low_shift);
        block.codes[i + 4] = value_4(word >> 4 & 0x0f0f0f0fu, high_shift);
    }
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) {
        const int number = part * 2 + side, scale = nibble(bytes + 8, number) | bit_pair(bytes + 4, number) << 4;
        block.scale[side] = __fmul_rn(d, __int2float_rn(scale - 32));
    }
}
