// IQ3_XXS: 256 weights: f16 d, 64 codebook indices of 4 weights each, 8 words of 4 x 7 sign bits and a 4-bit scale.
#pragma once
#include "signs.cuh"
#include "grid_iq3_xxs.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 98;
    const int part = index % 8;
    const uint32_t word = load_word(bytes + 66 + 4 * part);
    for (int i = 0; i < 8; i++) {
        const uint32_t signs = eight_signs(word >> 7 * (i / 2) & 127u) >> i % 2 * 4;
        block.codes[i] = with_signs(grid_iq3_xxs[bytes[2 + 8 * part + i]], signs);
    }
    block.scale[0] = block.scale[1] = half_step(load_half(bytes), static_cast<int>(word >> 28), 0.5f);
}
