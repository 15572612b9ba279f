// IQ2_XXS: 256 weights: f16 d, then per 32 weights 4 codebook indices and a word of 4 x 7 sign bits and a 4-bit scale.
// The codebook, eight magnitudes an entry, is generated into grid_iq2_xxs.cuh from the table all backends share.
#pragma once
#include "signs.cuh"
#include "grid_iq2_xxs.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 66;
    const uint8_t* part = bytes + 2 + index % 8 * 8;
    const uint32_t word = load_word(part + 4);
    for (int i = 0; i < 4; i++) {
        const uint32_t signs = eight_signs(word >> 7 * i & 127u);
        block.codes[2 * i] = with_signs(grid_iq2_xxs[2 * part[i]], signs);
        block.codes[2 * i + 1] = with_signs(grid_iq2_xxs[2 * part[i] + 1], signs >> 4);
    }
    block.scale[0] = block.scale[1] = half_step(load_half(bytes), static_cast<int>(word >> 28), 0.25f);
}
