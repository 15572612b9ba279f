// The codebook of IQ1_S and IQ1_M: -1, 0 and 1, moved by an eighth up or down.
#pragma once
#include "formats/block.cuh"
#include "grid_iq1.cuh"
#include "codebook.cuh"

// Eight times a codebook's -1, 0 and 1, four to a word, plus or minus one.
__device__ __forceinline__ int eight_times_shifted(uint32_t values, bool down) {
    const uint32_t eightfold = values << 3 & 0xf8f8f8f8u;
    return add_bytes(eightfold, down ? 0xffffffffu : 0x01010101u);
}

// Codes of 8 weights: entry `index`, two words from `codes`.
__device__ __forceinline__ void shifted_entry(uint32_t index, bool down, int* codes) {
    const CodebookEntry values = codebook()[index];
    codes[0] = eight_times_shifted(values.x, down);
    codes[1] = eight_times_shifted(values.y, down);
}
