// Q2_K: 256 weights: 16 nibble pairs (scale, minimum), 64 bytes of 2-bit codes, f16 d, f16 dmin.
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 84;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        block.codes[i] = static_cast<int>(load_word(bytes + 16 + part / 4 * 32 + 4 * i) >> part % 4 * 2 & 0x03030303u);
    }
    const float d = load_half(bytes + 80), dmin = load_half(bytes + 82);
    for (int i = 0; i < 2; i++) {
        const int packed = bytes[part * 2 + i];
        block.scale[i] = __fmul_rn(d, __int2float_rn(packed & 15));
        block.minimum[i] = __fmul_rn(dmin, __int2float_rn(packed >> 4));
    }
}
