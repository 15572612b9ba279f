// IQ1_S: 256 weights: f16 d, 32 low bytes of codebook indices, 8 words of high bits, scale and shift.
#pragma once
#include "ternary.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const uint32_t low = chunk_4<1>(row, super, part), word = chunk_2<2>(row, super, part);
    for (int i = 0; i < 4; i++) {
        shifted_entry(byte_of(low, i) | (word >> 3 * i & 7u) << 8, (word & 0x8000u) != 0, block.codes + 2 * i);
    }
    const float d = as_half(chunk_2<0>(row, super));
    const float step = __fmul_rn(d, __int2float_rn(static_cast<int>(2 * (word >> 12 & 7u) + 1)));
    block.scale[0] = block.scale[1] = __fmul_rn(step, 0.125f);
}
