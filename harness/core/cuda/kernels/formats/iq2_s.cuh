// IQ2_S: 256 weights: f16 d, 32 low bytes of codebook indices, 32 of signs, 8 of high bits, 8 of scales.
#pragma once
#include "signs.cuh"
#include "grid_iq2_s.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 82;
    const int part = index % 8;
    for (int i = 0; i < 4; i++) {
        const int at = 4 * part + i, entry = bytes[2 + at] | bit_pair(bytes + 66, at) << 8;
        const uint32_t signs = bytes[34 + at];
        block.codes[2 * i] = with_signs(grid_iq2_s[2 * entry], signs);
        block.codes[2 * i + 1] = with_signs(grid_iq2_s[2 * entry + 1], signs >> 4);
    }
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) block.scale[side] = half_step(d, nibble(bytes + 74, 2 * part + side), 0.25f);
}
