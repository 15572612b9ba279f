// What docs/numerics.md fixes for everybody: codes for a block of 32 numbers.
#pragma once
#include "gpu.cuh"

struct Quantized {
    int8_t code;
    float scale;  // the same in all lanes
};

// A warp's block of 32 numbers, one a lane.
__device__ __forceinline__ Quantized quantized(float value) {
    float largest = fabsf(value);
    for (int distance = 16; distance > 0; distance /= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(FULL_MASK, largest, distance));
    }
    const float inverse = largest > 0.0f ? __fdiv_rn(127.0f, largest) : 0.0f;
    return {static_cast<int8_t>(__float2int_rn(__fmul_rn(value, inverse))), __fdiv_rn(largest, 127.0f)};
}
