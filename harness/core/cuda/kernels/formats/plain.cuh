// F32, F16, BF16: one number after another, as in the file. `plain_bytes` and `plain_to_float` say which.
#pragma once
#include "formats/block.cuh"

struct Row {
    const uint8_t* bytes;
};

__device__ __forceinline__ Row row_of(const uint8_t* weights, size_t row_bytes, size_t row, int) {
    return {weights + row * row_bytes};
}

__device__ __forceinline__ float load_plain(const Row& row, int column) {
    return plain_to_float(row.bytes + static_cast<size_t>(column) * plain_bytes);
}
