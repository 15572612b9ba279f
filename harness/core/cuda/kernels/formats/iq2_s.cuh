// IQ2_S: 256 weights: f16 d, 32 low bytes of codebook indices, 32 of signs, 8 of high bits, 8 of scales.
#pragma once
#include "signs.cuh"
#include "grid_iq2_s.cuh"
#include "codebook.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t low = chunk_4<1>(row, super, part), minus = chunk_4<2>(row, super, part);
    const uint32_t high = chunk_1<3>(row, super, part), scales = chunk_1<4>(row, super, part);
    for (int i = 0; i < 4; i++) {
        const uint32_t entry = byte_of(low, i) | static_cast<uint32_t>(bit_pair(high, i)) << 8, signs = byte_of(minus, i);
        const CodebookEntry magnitudes = codebook()[entry];
        block.codes[2 * i] = with_signs(magnitudes.x, signs);
        block.codes[2 * i + 1] = with_signs(magnitudes.y, signs >> 4);
    }
    const float d = as_half(chunk_2<0>(row, super));
    for (int side = 0; side < 2; side++) block.scale[side] = half_step(d, nibble(scales, side), 0.25f);
}
