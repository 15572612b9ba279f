// IQ3_XXS: 256 weights: f16 d, 64 codebook indices of 4 weights each, 8 words of 4 x 7 sign bits and a 4-bit scale.
#pragma once
#include "signs.cuh"
#include "grid_iq3_xxs.cuh"
#include "codebook.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t entries[2];
    chunk_8<1>(row, super, part, entries);
    const uint32_t word = chunk_4<2>(row, super, part);
    for (int i = 0; i < 8; i++) {
        const uint32_t signs = eight_signs(word >> 7 * (i / 2) & 127u) >> i % 2 * 4;
        block.codes[i] = with_signs(codebook()[byte_of(entries, i)], signs);
    }
    const float d = as_half(chunk_2<0>(row, super));
    block.scale[0] = block.scale[1] = half_step(d, static_cast<int>(word >> 28), 0.5f);
}
