// Q3_K: 256 weights: 32 bytes of high bits, 64 of 2-bit codes, 12 of 6-bit scales, f16 d. w = d (s - 32) (q - 4).
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t low[8], high[8];
    two_chunks_16<1>(row, super, part / 4 * 2, low);
    two_chunks_16<0>(row, super, 0, high);
    for (int i = 0; i < 8; i++) {
        const uint32_t codes = (low[i] >> part % 4 * 2 & 0x03030303u) | (high[i] >> part & 0x01010101u) << 2;
        block.codes[i] = subtract_bytes(codes, 4);
    }
    const float d = as_half(chunk_2<3>(row, super));
    const uint32_t nibbles = chunk_4<2>(row, super, part % 4 / 2) >> part / 4 * 4;
    const uint32_t pairs = chunk_4<2>(row, super, 2) >> part / 2 * 2;
    for (int side = 0; side < 2; side++) {
        const int at = part % 2 * 2 + side;
        const uint32_t scale = (byte_of(nibbles, at) & 15u) | (byte_of(pairs, at) & 3u) << 4;
        block.scale[side] = __fmul_rn(d, __int2float_rn(static_cast<int>(scale) - 32));
    }
}
