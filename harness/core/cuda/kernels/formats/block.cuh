// The normal form of 32 weights of one row: what every format's `decode` yields, see docs/numerics.md.
#pragma once
#include "gpu.cuh"

struct Block {
    int codes[8];      // 32 int8, four to a word, in the order of the columns
    float scale[2];    // one per group of 16; both the same where the group is 32
    float minimum[2];  // likewise; unused where the format has none
};

__device__ __forceinline__ float load_half(const uint8_t* bytes) {
    return half_to_float(static_cast<half_bits>(bytes[0] | bytes[1] << 8));
}

// Four bytes as a word. Blocks of 17 or 66 bytes leave no better alignment than a byte's.
__device__ __forceinline__ uint32_t load_word(const uint8_t* bytes) {
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

// Four unsigned bytes below 128 + `offset` less `offset` each, as int8.
__device__ __forceinline__ int subtract_bytes(uint32_t bytes, uint32_t offset) {
    const uint32_t high = 0x80808080u;
    return static_cast<int>(((bytes | high) - offset * 0x01010101u) ^ high);
}

// Byte by byte, without carries from one to the next.
__device__ __forceinline__ int add_bytes(uint32_t a, uint32_t b) {
    return static_cast<int>(((a & 0x7f7f7f7fu) + (b & 0x7f7f7f7fu)) ^ ((a ^ b) & 0x80808080u));
}

// Bit i of the low four to the lowest of byte i.
__device__ __forceinline__ uint32_t spread_bits(uint32_t bits) {
    return (bits & 1u) | (bits & 2u) << 7 | (bits & 4u) << 14 | (bits & 8u) << 21;
}

__device__ __forceinline__ uint32_t load_pair(const uint8_t* bytes) { return bytes[0] | bytes[1] << 8; }

// The low nibble of byte i / 2, or the high one.
__device__ __forceinline__ int nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> i % 2 * 4 & 15; }

// Two bits, four to a byte.
__device__ __forceinline__ int bit_pair(const uint8_t* bytes, int i) { return bytes[i / 4] >> i % 4 * 2 & 3; }

__device__ __forceinline__ int bit(const uint8_t* bytes, int i) { return bytes[i / 8] >> i % 8 & 1; }

// Four 3-bit indices, one in the low bits of each byte, as __byte_perm wants them.
__device__ __forceinline__ uint32_t select_bytes(uint32_t indices) {
    return (indices & 7u) | (indices >> 4 & 0x70u) | (indices >> 8 & 0x700u) | (indices >> 12 & 0x7000u);
}

// Four 4-bit indices, one in the low half of each byte, to their entries of a table of 16 int8 in four words.
__device__ __forceinline__ int look_up_4(const uint32_t (&table)[4], uint32_t indices) {
    const uint32_t select = select_bytes(indices);
    const uint32_t low = __byte_perm(table[0], table[1], select), high = __byte_perm(table[2], table[3], select);
    const uint32_t upper = (indices >> 3 & 0x01010101u) * 255u;
    return static_cast<int>((low & ~upper) | (high & upper));
}

// The 6-bit scale and minimum number `i` that Q4_K and Q5_K pack into 12 bytes.
__device__ __forceinline__ void k_scale(const uint8_t* packed, int i, float& scale, float& minimum) {
    const int s = i < 4 ? packed[i] & 63 : (packed[i + 4] & 15) | (packed[i - 4] >> 6) << 4;
    const int m = i < 4 ? packed[i + 4] & 63 : packed[i + 4] >> 4 | (packed[i] >> 6) << 4;
    scale = __int2float_rn(s);
    minimum = __int2float_rn(m);
}
