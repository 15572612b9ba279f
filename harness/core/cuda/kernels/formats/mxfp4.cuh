// MXFP4: an exponent byte e, 16 bytes of 4-bit floats (low halves first). Codes are the floats doubled: w = 2^(e-128) q.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

// 2^(e-128); denormal for e below 2, so it must not meet flush-to-zero arithmetic.
__device__ __forceinline__ float half_exponent(unsigned e) {
    return __uint_as_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
}

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const uint32_t table[4] = {0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu};
    uint32_t words[4];
    chunk_16<1>(row, index, 0, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = look_up_4(table, words[i] & 0x0f0f0f0fu);
        block.codes[i + 4] = look_up_4(table, words[i] >> 4 & 0x0f0f0f0fu);
    }
    block.scale[0] = block.scale[1] = half_exponent(chunk_1<0>(row, index));
}
