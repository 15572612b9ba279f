// IQ3_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 16 scale signs, 8 bytes of scales, 64 of 2-bit codes, 32 of
// high bits. w = d (2 s + 1) value, negated where the sign is set.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t shifts = chunk_2<1>(row, super) >> 2 * part, minus = chunk_2<2>(row, super) >> 2 * part;
    const uint32_t scales = chunk_1<3>(row, super, part);
    uint32_t low[8], high[8];
    two_chunks_16<4>(row, super, part / 4 * 2, low);
    two_chunks_16<5>(row, super, 0, high);
    for (int i = 0; i < 8; i++) {
        const uint32_t indices = (low[i] >> part % 4 * 2 & 0x03030303u) | (high[i] >> part & 0x01010101u) << 2;
        block.codes[i] = value_3(indices, bit(shifts, i / 4) != 0);
    }
    const float d = as_half(chunk_2<0>(row, super));
    for (int side = 0; side < 2; side++) {
        const int scale = 2 * nibble(scales, side) + 1;
        block.scale[side] = __fmul_rn(d, __int2float_rn(bit(minus, side) ? -scale : scale));
    }
}
