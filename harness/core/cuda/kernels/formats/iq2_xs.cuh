// IQ2_XS: 256 weights: f16 d, 32 words of codebook index (9 bits) and signs (7), 8 bytes of scales.
#pragma once
#include "signs.cuh"
#include "grid_iq2_xs.cuh"
#include "codebook.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t words[2];
    chunk_8<1>(row, super, part, words);
    for (int i = 0; i < 4; i++) {
        const uint32_t word = words[i / 2] >> i % 2 * 16 & 0xffffu, signs = eight_signs(word >> 9), entry = word & 511u;
        const CodebookEntry magnitudes = codebook()[entry];
        block.codes[2 * i] = with_signs(magnitudes.x, signs);
        block.codes[2 * i + 1] = with_signs(magnitudes.y, signs >> 4);
    }
    const uint32_t scales = chunk_1<2>(row, super, part);
    const float d = as_half(chunk_2<0>(row, super));
    for (int side = 0; side < 2; side++) block.scale[side] = half_step(d, nibble(scales, side), 0.25f);
}
