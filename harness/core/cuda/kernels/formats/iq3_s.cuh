// IQ3_S: 256 weights: f16 d, 64 codebook indices of 4 weights each, 8 bytes of high bits, 32 of signs, 4 of scales.
#pragma once
#include "signs.cuh"
#include "grid_iq3_s.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 110;
    const int part = index % 8;
    for (int i = 0; i < 8; i++) {
        const int at = 8 * part + i, entry = bytes[2 + at] | bit(bytes + 66, at) << 8;
        block.codes[i] = with_signs(grid_iq3_s[entry], static_cast<uint32_t>(nibble(bytes + 74, at)));
    }
    const int scale = 1 + 2 * nibble(bytes + 106, part);
    block.scale[0] = block.scale[1] = __fmul_rn(load_half(bytes), __int2float_rn(scale));
}
