// Q5_K: as Q4_K, with 32 bytes of fifth bits before the nibbles; bit i of a byte belongs to part i.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 176;
    const int part = index % 8, shift = part % 2 * 4;
    for (int i = 0; i < 8; i++) {
        const uint32_t low = load_word(bytes + 48 + part / 2 * 32 + 4 * i) >> shift & 0x0f0f0f0fu;
        const uint32_t high = load_word(bytes + 16 + 4 * i) >> part & 0x01010101u;
        block.codes[i] = static_cast<int>(low | high << 4);
    }
    float scale, minimum;
    k_scale(bytes + 4, part, scale, minimum);
    block.scale[0] = block.scale[1] = __fmul_rn(load_half(bytes), scale);
    block.minimum[0] = block.minimum[1] = __fmul_rn(load_half(bytes + 2), minimum);
}
