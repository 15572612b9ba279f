// IQ4_KSS (ik_llama.cpp): f32 d before the row; 256 weights: 128 bytes of nibbles. Per 32, the lowest bits of eight 16-bit
// words are the byte that IQ4_KS keeps apart; the other bits, XORed with themselves shifted right by one, the nibbles.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    int packed = 0;
    uint32_t words[4];
    chunk_16<0>(row, super, part, words);
    for (int i = 0; i < 4; i++) {
        const uint32_t even = words[i] & 0xfffefffeu;
        packed |= static_cast<int>((words[i] & 1u) << 2 * i | (words[i] >> 16 & 1u) << (2 * i + 1));
        words[i] = even ^ even >> 1;
    }
    for (int i = 0; i < 4; i++) {
        block.codes[i] = value_4(words[i] & 0x0f0f0f0fu, (packed & 1) != 0);
        block.codes[i + 4] = value_4(words[i] >> 4 & 0x0f0f0f0fu, (packed & 1) != 0);
    }
    const float d = __uint_as_float(row_header<uint32_t>(row));
    block.scale[0] = block.scale[1] = __fmul_rn(d, __int2float_rn((packed & 254) - 127));
}
