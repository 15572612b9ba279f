// IQ2_KS (ik_llama.cpp): f16 d before the row; 256 weights: 8 table bits, 8 high bits and 4 bytes of nibbles of scales,
// 64 bytes of 2-bit codes. w = d (s - 16) value.
#pragma once
#include "values.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

// Four neighbouring blocks share the bytes of their codes, a pair of bits each: this is block `part` of the four number `four`.
// Said so, it is plain to the compiler that a thread's four blocks want the same bytes, which it loads once.
#define NEIGHBOURS 4
__device__ __forceinline__ void decode_neighbour(const Row& row, uint32_t four, int part, Block& block) {
    const uint32_t super = four / 2, first = four % 2 * 4;
    const uint32_t shifts = chunk_1<0>(row, super) >> first, high = chunk_1<1>(row, super) >> first;
    uint32_t words[8];
    two_chunks_16<3>(row, super, four % 2 * 2, words);
    for (int i = 0; i < 8; i++) block.codes[i] = value_2(words[i] >> part * 2 & 0x03030303u, bit(shifts, part) != 0);
    const int scale = nibble(chunk_1<2>(row, super, four % 2 * 2 + part / 2), part % 2) | bit(high, part) << 4;
    block.scale[0] = block.scale[1] = __fmul_rn(as_half(row_header<uint16_t>(row)), __int2float_rn(scale - 16));
}

__device__ __forceinline__ void decode(const Row& row, int index, Block& block) {
    decode_neighbour(row, index / NEIGHBOURS, index % NEIGHBOURS, block);
}
