// Q5_1: f16 d, f16 m, 32 high bits, 16 bytes of nibbles (low halves first). w = d q + m.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index) * 24;
    const uint32_t high = load_word(bytes + 4);
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 8 + 4 * i);
        block.codes[i] = static_cast<int>((word & 0x0f0f0f0fu) | spread_bits(high >> 4 * i) << 4);
        block.codes[i + 4] = static_cast<int>((word >> 4 & 0x0f0f0f0fu) | spread_bits(high >> (16 + 4 * i)) << 4);
    }
    block.scale[0] = block.scale[1] = load_half(bytes);
    block.minimum[0] = block.minimum[1] = -load_half(bytes + 2);
}
