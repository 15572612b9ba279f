// IQ4_K (ik_llama.cpp): 256 weights: f16 d, 16 table bits, 4 + 8 bytes of 6-bit scales, 128 bytes of nibbles.
#pragma once
#include "formats/block.cuh"

constexpr int group = 16;
constexpr bool has_minimum = false;

__device__ __forceinline__ void decode(const uint8_t* row, int index, Block& block) {
    // -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113; the second table is 4 higher throughout
    const uint32_t values[4] = {0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u};
    const uint32_t raised[4] = {0xc3b19c85u, 0xfaeee1d3u, 0x2a1d1105u, 0x755d4939u};
    const uint8_t* bytes = row + static_cast<size_t>(index / 8) * 144;
    const int part = index % 8;
    const float d = load_half(bytes);
    for (int side = 0; side < 2; side++) {  // 16 weights: the low halves of 16 bytes, or the high ones
        const int number = part * 2 + side;
        const bool second = (bytes[2 + number / 8] >> number % 8 & 1) != 0;
        for (int i = 0; i < 4; i++) {
            const uint32_t nibbles = load_word(bytes + 16 + part * 16 + 4 * i) >> side * 4 & 0x0f0f0f0fu;
            block.codes[side * 4 + i] = second ? look_up_4(raised, nibbles) : look_up_4(values, nibbles);
        }
        const int low = bytes[8 + number / 2] >> number % 2 * 4 & 15, high = bytes[4 + number / 4] >> number % 4 * 2 & 3;
        block.scale[side] = __fmul_rn(d, __int2float_rn((low | high << 4) - 32));
    }
}
