// Q4_1: f16 d, f16 m, 16 bytes of nibbles (low halves first). w = d q + m.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = true;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    uint32_t words[4];
    chunk_16<1>(row, index, 0, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = static_cast<int>(words[i] & 0x0f0f0f0fu);
        block.codes[i + 4] = static_cast<int>(words[i] >> 4 & 0x0f0f0f0fu);
    }
    const uint32_t both = chunk_4<0>(row, index);
    block.scale[0] = block.scale[1] = as_half(both);
    block.minimum[0] = block.minimum[1] = -as_half(both >> 16);
}
