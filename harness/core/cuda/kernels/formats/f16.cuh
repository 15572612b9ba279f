// F16: IEEE binary16.
#pragma once
#define PLAIN
#include "gpu.cuh"

constexpr int plain_bytes = 2;
__device__ __forceinline__ float plain_to_float(const uint8_t* bytes) {
    return half_to_float(__ldg(reinterpret_cast<const half_bits*>(bytes)));
}
#include "formats/plain.cuh"
