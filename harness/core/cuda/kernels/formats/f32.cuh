// F32 as it stands.
#pragma once
#define PLAIN
#include "gpu.cuh"


constexpr int plain_bytes = 4;
__device__ __forceinline__ float plain_to_float(const uint8_t* bytes) { return __ldg(reinterpret_cast<const float*>(bytes)); }
#include "formats/plain.cuh"
