// IQ1_S: 256 weights: f16 d, 32 low bytes of codebook indices, 8 words of high bits, scale and shift.
#pragma once
#include "ternary.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 50;
    const int part = index % 8;
    const uint32_t word = load_pair(bytes + 34 + 2 * part);
    for (int i = 0; i < 4; i++) {
        shifted_entry(bytes[2 + 4 * part + i] | (word >> 3 * i & 7u) << 8, (word & 0x8000u) != 0, block.codes + 2 * i);
    }
    const float step = __fmul_rn(load_half(bytes), __int2float_rn(static_cast<int>(2 * (word >> 12 & 7u) + 1)));
    block.scale[0] = block.scale[1] = __fmul_rn(step, 0.125f);
}
