// IQ4_NL: f16 d, 16 bytes of nibbles (low halves first) into a table. w = d value.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index) * 18;
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 2 + 4 * i);
        block.codes[i] = value_4(word & 0x0f0f0f0fu, false);
        block.codes[i + 4] = value_4(word >> 4 & 0x0f0f0f0fu, false);
    }
    block.scale[0] = block.scale[1] = load_half(bytes);
}
