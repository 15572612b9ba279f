// Q4_0: f16 d, 16 bytes of nibbles (low halves first). w = d (q - 8).
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    uint32_t words[4];
    chunk_16<1>(row, index, 0, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = subtract_bytes(words[i] & 0x0f0f0f0fu, 8);
        block.codes[i + 4] = subtract_bytes(words[i] >> 4 & 0x0f0f0f0fu, 8);
    }
    block.scale[0] = block.scale[1] = as_half(chunk_2<0>(row, index));
}
