// Q4_K: 256 weights: f16 d, f16 dmin, 12 bytes of 6-bit scales and minimums, then per 64 weights 32 bytes of nibbles.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 144;
    const int part = index % 8, shift = part % 2 * 4;
    for (int i = 0; i < 8; i++) {
        block.codes[i] = static_cast<int>(load_word(bytes + 16 + part / 2 * 32 + 4 * i) >> shift & 0x0f0f0f0fu);
    }
    float scale, minimum;
    k_scale(bytes + 4, part, scale, minimum);
    block.scale[0] = block.scale[1] = __fmul_rn(load_half(bytes), scale);
    block.minimum[0] = block.minimum[1] = __fmul_rn(load_half(bytes + 2), minimum);
}
