// IQ4_NL: f16 d, 16 bytes of nibbles (low halves first) into a table. w = d value.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    uint32_t words[4];
    chunk_16<1>(row, index, 0, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = value_4(words[i] & 0x0f0f0f0fu, false);
        block.codes[i + 4] = value_4(words[i] >> 4 & 0x0f0f0f0fu, false);
    }
    block.scale[0] = block.scale[1] = as_half(chunk_2<0>(row, index));
}
