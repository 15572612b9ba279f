// IQ2_XS: 256 weights: f16 d, 32 words of codebook index (9 bits) and signs (7), 8 bytes of scales.
#pragma once
#include "signs.cuh"
#include "grid_iq2_xs.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 74;
    const int part = index % 8;
    for (int i = 0; i < 4; i++) {
        const uint32_t word = load_pair(bytes + 2 + 8 * part + 2 * i), signs = eight_signs(word >> 9), entry = word & 511u;
        block.codes[2 * i] = with_signs(grid_iq2_xs[2 * entry], signs);
        block.codes[2 * i + 1] = with_signs(grid_iq2_xs[2 * entry + 1], signs >> 4);
    }
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) block.scale[side] = half_step(d, nibble(bytes + 66, 2 * part + side), 0.25f);
}
