// Q8_0: f16 d, 32 int8. w = d q.
#pragma once
#include "formats/block.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index) * 34;
    for (int i = 0; i < 8; i++) block.codes[i] = static_cast<int>(load_word(bytes + 2 + 4 * i));
    block.scale[0] = block.scale[1] = load_half(bytes);
}
