// Q8_0: f16 d, 32 int8. w = d q.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    uint32_t words[8];
    two_chunks_16<1>(row, index, 0, words);
    for (int i = 0; i < 8; i++) block.codes[i] = static_cast<int>(words[i]);
    block.scale[0] = block.scale[1] = as_half(chunk_2<0>(row, index));
}
