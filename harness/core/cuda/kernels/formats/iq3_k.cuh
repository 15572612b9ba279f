// IQ3_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 16 scale signs, 8 bytes of scales, 64 of 2-bit codes, 32 of
// high bits. w = d (2 s + 1) value, negated where the sign is set.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 110;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        const uint32_t low = load_word(bytes + 14 + part / 4 * 32 + 4 * i) >> part % 4 * 2 & 0x03030303u;
        const uint32_t high = load_word(bytes + 78 + 4 * i) >> part & 0x01010101u;
        block.codes[i] = value_3(low | high << 2, bit(bytes + 2, 2 * part + i / 4) != 0);
    }
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) {
        const int number = part * 2 + side, scale = 2 * nibble(bytes + 6, number) + 1;
        block.scale[side] = __fmul_rn(d, __int2float_rn(bit(bytes + 4, number) ? -scale : scale));
    }
}
