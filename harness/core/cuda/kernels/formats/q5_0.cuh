// Q5_0: f16 d, 32 high bits, 16 bytes of nibbles (low halves first). w = d (q - 16).
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index) * 22;
    const uint32_t high = load_word(bytes + 2);
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_word(bytes + 6 + 4 * i);
        block.codes[i] = subtract_bytes((word & 0x0f0f0f0fu) | spread_bits(high >> 4 * i) << 4, 16);
        block.codes[i + 4] = subtract_bytes((word >> 4 & 0x0f0f0f0fu) | spread_bits(high >> (16 + 4 * i)) << 4, 16);
    }
    block.scale[0] = block.scale[1] = load_half(bytes);
}
