// Value tables of the non-linear formats. Indices are one to a byte; a set bit of a group shifts all its values.
#pragma once
#include "formats/block.cuh"

// Four indices of 3 bits to their entries of a table of 8 int8.
__device__ __forceinline__ int look_up_8(uint32_t low, uint32_t high, uint32_t indices) {
    return static_cast<int>(__byte_perm(low, high, select_bytes(indices)));
}

__device__ __forceinline__ int shifted(int values, bool shift, uint32_t by) {
    return add_bytes(static_cast<uint32_t>(values), shift ? by * 0x01010101u : 0u);
}

// -31 -13 1 17; shifted by 5, in a table that is a word, so that there is one to look up and nothing to add.
__device__ __forceinline__ int value_2(uint32_t indices, bool shift) {
    return look_up_8(shift ? 0x1606f8e6u : 0x1101f3e1u, 0u, indices);
}

// -63 -40 -23 -10 1 13 28 47; shifted by 4.
__device__ __forceinline__ int value_3(uint32_t indices, bool shift) {
    return shifted(look_up_8(0xf6e9d8c1u, 0x2f1c0d01u, indices), shift, 4);
}

// -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113; shifted by 4.
__device__ __forceinline__ int value_4(uint32_t indices, bool shift) {
    const uint32_t table[4] = {0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u};
    return shifted(look_up_4(table, indices), shift, 4);
}

// -126 -114 -103 -92 -83 -74 -65 -57 -50 -43 -36 -30 -24 -18 -12 -6
// -1 5 11 17 23 29 36 43 51 59 68 77 87 97 109 121; shifted by 2.
__device__ __forceinline__ int value_5(uint32_t indices, bool shift) {
    const uint32_t negative[4] = {0xa4998e82u, 0xc7bfb6adu, 0xe2dcd5ceu, 0xfaf4eee8u};
    const uint32_t positive[4] = {0x110b05ffu, 0x2b241d17u, 0x4d443b33u, 0x796d6157u};
    const uint32_t low = indices & 0x0f0f0f0fu, upper = (indices >> 4 & 0x01010101u) * 255u;
    const uint32_t a = static_cast<uint32_t>(look_up_4(negative, low)), b = static_cast<uint32_t>(look_up_4(positive, low));
    return shifted(static_cast<int>((a & ~upper) | (b & upper)), shift, 2);
}
