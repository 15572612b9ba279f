// IQ5_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 4 + 8 bytes of 6-bit scales, 128 bytes of nibbles, 32 of high bits.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 176;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        const uint32_t low = load_word(bytes + 16 + part / 2 * 32 + 4 * i) >> part % 2 * 4 & 0x0f0f0f0fu;
        const uint32_t high = load_word(bytes + 144 + 4 * i) >> part & 0x01010101u;
        block.codes[i] = value_5(low | high << 4, bit(bytes + 2, 2 * part + i / 4) != 0);
    }
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) {
        const int number = part * 2 + side, scale = nibble(bytes + 8, number) | bit_pair(bytes + 4, number) << 4;
        block.scale[side] = __fmul_rn(d, __int2float_rn(scale - 32));
    }
}
