// IQ3_S: 256 weights: f16 d, 64 codebook indices of 4 weights each, 8 bytes of high bits, 32 of signs, 4 of scales.
#pragma once
#include "signs.cuh"
#include "grid_iq3_s.cuh"
#include "codebook.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const int super = index / 8, part = index % 8;
    uint32_t low[2];
    chunk_8<1>(row, super, part, low);
    const uint32_t high = chunk_1<2>(row, super, part), signs = chunk_4<3>(row, super, part);
    for (int i = 0; i < 8; i++) {
        const uint32_t entry = byte_of(low, i) | static_cast<uint32_t>(bit(high, i)) << 8;
        block.codes[i] = with_signs(codebook()[entry], static_cast<uint32_t>(nibble(signs, i)));
    }
    const int scale = 1 + 2 * nibble(chunk_1<4>(row, super, part / 2), part % 2);
    block.scale[0] = block.scale[1] = __fmul_rn(as_half(chunk_2<0>(row, super)), __int2float_rn(scale));
}
