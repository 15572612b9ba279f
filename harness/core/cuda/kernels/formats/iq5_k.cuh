// IQ5_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 4 + 8 bytes of 6-bit scales, 128 bytes of nibbles, 32 of high bits.
#pragma once
#include "values.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t shifts = chunk_2<1>(row, super) >> 2 * part;
    uint32_t nibbles[8], fifths[8];
    two_chunks_16<4>(row, super, part / 2 * 2, nibbles);
    two_chunks_16<5>(row, super, 0, fifths);
    for (int i = 0; i < 8; i++) {
        const uint32_t indices = (nibbles[i] >> part % 2 * 4 & 0x0f0f0f0fu) | (fifths[i] >> part & 0x01010101u) << 4;
        block.codes[i] = value_5(indices, bit(shifts, i / 4) != 0);
    }
    const float d = as_half(chunk_2<0>(row, super));
    const uint32_t low = chunk_1<3>(row, super, part), high = chunk_1<2>(row, super, part / 2) >> part % 2 * 4;
    for (int side = 0; side < 2; side++) {
        block.scale[side] = __fmul_rn(d, __int2float_rn((nibble(low, side) | bit_pair(high, side) << 4) - 32));
    }
}
