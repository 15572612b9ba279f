// Q3_K: 256 weights: 32 bytes of high bits, 64 of 2-bit codes, 12 of 6-bit scales, f16 d. w = d (s - 32) (q - 4).
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 110;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        const uint32_t low = load_word(bytes + 32 + part / 4 * 32 + 4 * i) >> part % 4 * 2 & 0x03030303u;
        const uint32_t high = load_word(bytes + 4 * i) >> part & 0x01010101u;
        block.codes[i] = subtract_bytes(low | high << 2, 4);
    }
    const float d = load_half(bytes + 108);
    for (int side = 0; side < 2; side++) {
        const int number = part * 2 + side;
        const int low = bytes[96 + number % 8] >> number / 8 * 4 & 15;
        const int high = bytes[104 + number % 4] >> number / 4 * 2 & 3;
        block.scale[side] = __fmul_rn(d, __int2float_rn((low | high << 4) - 32));
    }
}
