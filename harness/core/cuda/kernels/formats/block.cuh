// The normal form of 32 weights of one row: what every format's `decode` yields, see docs/numerics.md; and how a format
// reads its fields from device memory, where they lie as harness/core/cuda/layout.py says.
#pragma once
#include "gpu.cuh"

struct Block {
    int codes[8];      // 32 int8, four to a word, in the order of the columns
    float scale[2];    // one per group of 16; both the same where the group is 32
    float minimum[2];  // likewise; unused where the format has none
};

#ifdef FIELDS  // of layout.py, with HEADER_BYTES of a row and BLOCK_COLUMNS of a block

struct Field {
    int n_bytes, chunk_bytes;
};
constexpr Field fields[] = {FIELDS};
__device__ constexpr int bytes_before(int field) {
    int sum = 0;
    for (int i = 0; i < field; i++) sum += fields[i].n_bytes;
    return sum;
}

// One row: its tile, its place among the tile's 32, and the blocks a row has. No tile: a row beyond the matrix.
struct Row {
    const uint8_t* tile;
    uint32_t lane, n_blocks;
};

__device__ __forceinline__ Row row_of(const uint8_t* weights, size_t row_bytes, size_t row, int n_columns) {
    return {weights + row / 32 * 32 * row_bytes, static_cast<uint32_t>(row % 32),
            static_cast<uint32_t>(n_columns / BLOCK_COLUMNS)};
}

// Chunk `index` of field `field` of one block. Which matrix a row is of is known at run time only, so that the compiler has
// to be told that it lies in global memory and does not change.
template <int field, typename Chunk>
__device__ __forceinline__ Chunk chunk(const Row& row, uint32_t block, uint32_t index) {
    constexpr uint32_t size = fields[field].chunk_bytes, per_block = fields[field].n_bytes / size;
    static_assert(sizeof(Chunk) == size, "a chunk is loaded whole");
    constexpr uint32_t before = bytes_before(field);
    const uint32_t plane = 32 * (HEADER_BYTES + row.n_blocks * before);
    return __ldg(reinterpret_cast<const Chunk*>(row.tile + plane + ((block * per_block + index) * 32 + row.lane) * size));
}
template <int field> __device__ __forceinline__ uint32_t chunk_1(const Row& row, uint32_t block, uint32_t index = 0) {
    return chunk<field, uint8_t>(row, block, index);
}
template <int field> __device__ __forceinline__ uint32_t chunk_2(const Row& row, uint32_t block, uint32_t index = 0) {
    return chunk<field, uint16_t>(row, block, index);
}
template <int field> __device__ __forceinline__ uint32_t chunk_4(const Row& row, uint32_t block, uint32_t index = 0) {
    return chunk<field, uint32_t>(row, block, index);
}
template <int field>
__device__ __forceinline__ void chunk_8(const Row& row, uint32_t block, uint32_t index, uint32_t* words) {
    const uint2 loaded = chunk<field, uint2>(row, block, index);
    words[0] = loaded.x, words[1] = loaded.y;
}
template <int field>
__device__ __forceinline__ void chunk_16(const Row& row, uint32_t block, uint32_t index, uint32_t* words) {
    const uint4 loaded = chunk<field, uint4>(row, block, index);
    words[0] = loaded.x, words[1] = loaded.y, words[2] = loaded.z, words[3] = loaded.w;
}
template <int field>
__device__ __forceinline__ void two_chunks_16(const Row& row, uint32_t block, uint32_t first, uint32_t (&words)[8]) {
    chunk_16<field>(row, block, first, words);
    chunk_16<field>(row, block, first + 1, words + 4);
}
template <typename Header> __device__ __forceinline__ Header row_header(const Row& row) {
    static_assert(sizeof(Header) == HEADER_BYTES, "a header is loaded whole");
    return __ldg(reinterpret_cast<const Header*>(row.tile) + row.lane);
}

#endif

__device__ __forceinline__ float as_half(uint32_t bits) { return half_to_float(static_cast<half_bits>(bits)); }
template <int size> __device__ __forceinline__ uint32_t byte_of(const uint32_t (&words)[size], int i) {
    return words[i / 4] >> i % 4 * 8 & 255u;
}
__device__ __forceinline__ uint32_t byte_of(uint32_t word, int i) { return word >> 8 * i & 255u; }

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

// Number `i` of those of four, two or one bits that a word begins with.
__device__ __forceinline__ int nibble(uint32_t word, int i) { return static_cast<int>(word >> 4 * i & 15u); }
__device__ __forceinline__ int bit_pair(uint32_t word, int i) { return static_cast<int>(word >> 2 * i & 3u); }
__device__ __forceinline__ int bit(uint32_t word, int i) { return static_cast<int>(word >> i & 1u); }

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
