// Q5_0: f16 d, 32 high bits, 16 bytes of nibbles (low halves first). w = d (q - 16).
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    const uint32_t high = chunk_4<1>(row, index);
    uint32_t words[4];
    chunk_16<2>(row, index, 0, words);
    for (int i = 0; i < 4; i++) {
        block.codes[i] = subtract_bytes((words[i] & 0x0f0f0f0fu) | spread_bits(high >> 4 * i) << 4, 16);
        block.codes[i + 4] = subtract_bytes((words[i] >> 4 & 0x0f0f0f0fu) | spread_bits(high >> (16 + 4 * i)) << 4, 16);
    }
    block.scale[0] = block.scale[1] = as_half(chunk_2<0>(row, index));
}
