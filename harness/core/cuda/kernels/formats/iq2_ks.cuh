// IQ2_KS (ik_llama.cpp): f16 d before the row; 256 weights: 8 table bits, 8 high bits and 4 bytes of nibbles of scales,
// 64 bytes of 2-bit codes. w = d (s - 16) value.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + 2 + static_cast<size_t>(index / 8) * 70;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        const uint32_t indices = load_word(bytes + 6 + part / 4 * 32 + 4 * i) >> part % 4 * 2 & 0x03030303u;
        block.codes[i] = value_2(indices, bit(bytes, part) != 0);
    }
    const int scale = nibble(bytes + 2, part) | bit(bytes + 1, part) << 4;
    block.scale[0] = block.scale[1] = __fmul_rn(load_half(row), __int2float_rn(scale - 16));
}
