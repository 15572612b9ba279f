// What Q4_K and Q5_K have in common.
#pragma once
#include "formats/block.cuh"

// The 6-bit scale and minimum number `i` that Q4_K and Q5_K pack into the three words of field `field`.
template <int field>
__device__ __forceinline__ void k_scale(const Row& row, uint32_t block, int i, float& scale, float& minimum) {
    const uint32_t a = byte_of(chunk_4<field>(row, block, 0), i % 4), b = byte_of(chunk_4<field>(row, block, 1), i % 4);
    const uint32_t c = byte_of(chunk_4<field>(row, block, 2), i % 4);
    const uint32_t s = i < 4 ? a & 63u : (c & 15u) | a >> 6 << 4, m = i < 4 ? b & 63u : c >> 4 | b >> 6 << 4;
    scale = __int2float_rn(static_cast<int>(s));
    minimum = __int2float_rn(static_cast<int>(m));
}
