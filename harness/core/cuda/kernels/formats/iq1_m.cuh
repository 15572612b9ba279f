// IQ1_M: 256 weights: 32 low bytes of codebook indices, 16 of high bits and shifts, 4 words: scales, quarters of f16 d.
#pragma once
#include "ternary.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 56;
    const int part = index % 8;
    for (int i = 0; i < 4; i++) {
        const uint32_t more = static_cast<uint32_t>(nibble(bytes + 32, 4 * part + i));
        shifted_entry(bytes[4 * part + i] | (more & 7u) << 8, (more & 8u) != 0, block.codes + 2 * i);
    }
    uint32_t d_bits = 0;
    for (int i = 0; i < 4; i++) d_bits |= load_pair(bytes + 48 + 2 * i) >> 12 << 4 * i;
    const float d = half_to_float(static_cast<half_bits>(d_bits));
    const uint32_t word = load_pair(bytes + 48 + part / 2 * 2);
    for (int side = 0; side < 2; side++) {
        const int scale = static_cast<int>(word >> (part % 2 * 6 + side * 3) & 7u);
        block.scale[side] = __fmul_rn(__fmul_rn(d, __int2float_rn(2 * scale + 1)), 0.125f);
    }
}
