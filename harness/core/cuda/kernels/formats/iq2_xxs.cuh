// IQ2_XXS: 256 weights: f16 d, then per 32 weights 4 codebook indices and a word of 4 x 7 sign bits and a 4-bit scale.
// An entry of the codebook is eight magnitudes.
#pragma once
#include "signs.cuh"
#include "grid_iq2_xxs.cuh"
#include "codebook.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t words[2];
    chunk_8<1>(row, super, part, words);
    for (int i = 0; i < 4; i++) {
        const uint32_t signs = eight_signs(words[1] >> 7 * i & 127u), entry = byte_of(words[0], i);
        const CodebookEntry magnitudes = codebook()[entry];
        block.codes[2 * i] = with_signs(magnitudes.x, signs);
        block.codes[2 * i + 1] = with_signs(magnitudes.y, signs >> 4);
    }
    const float d = as_half(chunk_2<0>(row, super));
    block.scale[0] = block.scale[1] = half_step(d, static_cast<int>(words[1] >> 28), 0.25f);
}
