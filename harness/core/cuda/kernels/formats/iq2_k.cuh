// IQ2_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 8 bytes of scales, 64 of 2-bit codes. w = d (s - 8) value.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 76;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        const uint32_t indices = load_word(bytes + 12 + part / 4 * 32 + 4 * i) >> part % 4 * 2 & 0x03030303u;
        block.codes[i] = value_2(indices, bit(bytes + 2, 2 * part + i / 4) != 0);
    }
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) {
        block.scale[side] = __fmul_rn(d, __int2float_rn(nibble(bytes + 4, 2 * part + side) - 8));
    }
}
