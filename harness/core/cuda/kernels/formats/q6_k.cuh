// Q6_K: 256 weights: 128 bytes of low nibbles, 64 of 2-bit high parts, 16 int8 scales, f16 d. w = d s (q - 32).
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    const int half = part / 4, within = part % 4;  // 128 weights share 64 + 32 bytes
    uint32_t low[8], high[8];
    two_chunks_16<0>(row, super, half * 4 + within % 2 * 2, low);
    two_chunks_16<1>(row, super, half * 2, high);
    for (int i = 0; i < 8; i++) {
        const uint32_t pairs = high[i] >> within * 2 & 0x03030303u;
        block.codes[i] = subtract_bytes((low[i] >> within / 2 * 4 & 0x0f0f0f0fu) | pairs << 4, 32);
    }
    const uint32_t scales = chunk_2<2>(row, super, part);
    const float d = as_half(chunk_2<3>(row, super));
    for (int i = 0; i < 2; i++) {
        block.scale[i] = __fmul_rn(d, __int2float_rn(static_cast<int8_t>(byte_of(scales, i))));
    }
}
