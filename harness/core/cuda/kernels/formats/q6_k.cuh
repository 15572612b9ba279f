// Q6_K: 256 weights: 128 bytes of low nibbles, 64 of 2-bit high parts, 16 int8 scales, f16 d. w = d s (q - 32).
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 210;
    const int part = index % 8, half = part / 4, within = part % 4;  // 128 weights share 64 + 32 bytes
    const uint8_t* low = bytes + half * 64 + within % 2 * 32;
    const uint8_t* high = bytes + 128 + half * 32;
    for (int i = 0; i < 8; i++) {
        const uint32_t nibbles = load_word(low + 4 * i) >> within / 2 * 4 & 0x0f0f0f0fu;
        const uint32_t pairs = load_word(high + 4 * i) >> within * 2 & 0x03030303u;
        block.codes[i] = subtract_bytes(nibbles | pairs << 4, 32);
    }
    const float d = load_half(bytes + 208);
    for (int i = 0; i < 2; i++) {
        block.scale[i] = __fmul_rn(d, __int2float_rn(static_cast<int8_t>(bytes[192 + part * 2 + i])));
    }
}
