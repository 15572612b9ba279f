// IQ4_KSS (ik_llama.cpp): f32 d before the row; 256 weights: 128 bytes of nibbles. Per 32, the lowest bits of eight 16-bit
// words are the byte that IQ4_KS keeps apart; the other bits, XORed with themselves shifted right by one, the nibbles.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + 4 + static_cast<size_t>(index / 8) * 128;
    const int part = index % 8;
    int packed = 0;
    uint32_t nibbles[4];
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 16 * part + 4 * i), even = word & 0xfffefffeu;
        packed |= static_cast<int>((word & 1u) << 2 * i | (word >> 16 & 1u) << (2 * i + 1));
        nibbles[i] = even ^ even >> 1;
    }
    for (int i = 0; i < 4; i++) {
        block.codes[i] = value_4(nibbles[i] & 0x0f0f0f0fu, (packed & 1) != 0);
        block.codes[i + 4] = value_4(nibbles[i] >> 4 & 0x0f0f0f0fu, (packed & 1) != 0);
    }
    const float d = __uint_as_float(load_word(row));
    block.scale[0] = block.scale[1] = __fmul_rn(d, __int2float_rn((packed & 254) - 127));
}
