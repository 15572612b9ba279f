// Signed codebook entries: what IQ2 and IQ3 formats have in common.
#pragma once
#include "formats/block.cuh"

// Eight signs from seven bits: the eighth makes the minuses even in number.
__device__ __forceinline__ uint32_t eight_signs(uint32_t seven) { return seven | (__popc(seven) & 1u) << 7; }

// Four magnitudes between 1 and 127, negated where the low four bits of `signs` are set; no byte carries.
__device__ __forceinline__ int with_signs(uint32_t magnitudes, uint32_t signs) {
    const uint32_t ones = spread_bits(signs);
    return static_cast<int>((magnitudes ^ ones * 255u) + ones);
}

// (d (0.5 + scale)) times a power of two.
__device__ __forceinline__ float half_step(float d, int scale, float power) {
    return __fmul_rn(__fmul_rn(d, __fadd_rn(0.5f, __int2float_rn(scale))), power);
}
