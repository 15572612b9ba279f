// F32, F16, BF16: one number after another. `plain_bytes` and `plain_to_float` say which.
#pragma once
#include "formats/block.cuh"

__device__ __forceinline__ float load_plain(const uint8_t* row, int column) {
    return plain_to_float(row + static_cast<size_t>(column) * plain_bytes);
}
