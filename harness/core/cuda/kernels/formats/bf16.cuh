// BF16: the upper half of an F32.
#pragma once
#define PLAIN
#include "gpu.cuh"

constexpr int plain_bytes = 2;
__device__ __forceinline__ float plain_to_float(const uint8_t* bytes) {
    return __uint_as_float(static_cast<uint32_t>(__ldg(reinterpret_cast<const uint16_t*>(bytes))) << 16);
}
#include "formats/plain.cuh"
