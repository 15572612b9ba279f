// IQ2_XXS: 256 weights: f16 d, then per 32 weights 4 codebook indices and a word of 4 x 7 sign bits and a 4-bit scale.
// The codebook, eight magnitudes an entry, is generated into grid_iq2_xxs.cuh from the table all backends share.
#pragma once
#include "formats/block.cuh"
#include "grid_iq2_xxs.cuh"

constexpr int group = 32;
constexpr bool has_minimum = false;

// 0xff in byte i where bit i of `signs` is set, for the low four bits.
__device__ __forceinline__ uint32_t sign_bytes(uint32_t signs) {
    return ((signs & 1u) | (signs & 2u) << 7 | (signs & 4u) << 14 | (signs & 8u) << 21) * 255u;
}

// Each byte negated where the mask's byte is 0xff; magnitudes are between 1 and 127, so no byte carries.
__device__ __forceinline__ int negate_bytes(uint32_t bytes, uint32_t mask) {
    return static_cast<int>((bytes ^ mask) + (mask & 0x01010101u));
}

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 66;
    const uint8_t* part = bytes + 2 + index % 8 * 8;
    const uint32_t word = load_word(part + 4);
    for (int i = 0; i < 4; i++) {
        const uint32_t seven = word >> 7 * i & 127u, signs = seven | (__popc(seven) & 1u) << 7;
        block.codes[2 * i] = negate_bytes(grid_iq2_xxs[2 * part[i]], sign_bytes(signs));
        block.codes[2 * i + 1] = negate_bytes(grid_iq2_xxs[2 * part[i] + 1], sign_bytes(signs >> 4));
    }
    const float step = __fmul_rn(load_half(bytes), __fadd_rn(0.5f, __int2float_rn(static_cast<int>(word >> 28))));
    block.scale[0] = block.scale[1] = __fmul_rn(step, 0.25f);
}
