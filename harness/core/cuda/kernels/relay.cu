// One field of rows as the file has them [n_rows, row_bytes] to its plane of the tiles, see harness/core/cuda/layout.py.
// Rows first_row .. of the matrix are given; bytes alone are moved. Launch: a thread per chunk, rows side by side so that
// stores are whole; grid (ceil(n_rows / 128), chunks of a row), 128 threads. Reference: layout.py; exact.
#include "gpu.cuh"

extern "C" __global__ void relay(const uint8_t* __restrict__ rows, size_t row_bytes, int first_row, int n_rows,
                                 int first_byte, int block_bytes, int field_bytes, int chunk_bytes, int tile_offset,
                                 uint8_t* __restrict__ tiles) {
    const int given = blockIdx.x * 128 + threadIdx.x, row = first_row + given, index = blockIdx.y;
    if (given >= n_rows) return;
    const int per_block = field_bytes / chunk_bytes;
    const uint8_t* from = rows + static_cast<size_t>(given) * row_bytes + first_byte +
                          static_cast<size_t>(index / per_block) * block_bytes + index % per_block * chunk_bytes;
    uint8_t* to = tiles + static_cast<size_t>(row / 32) * 32 * row_bytes + tile_offset +
                  (static_cast<size_t>(index) * 32 + row % 32) * chunk_bytes;
    if (chunk_bytes % 4 == 0) {
        for (int i = 0; i < chunk_bytes; i += 4) {
            const uint32_t high = static_cast<uint32_t>(from[i + 2]) << 16 | static_cast<uint32_t>(from[i + 3]) << 24;
            *reinterpret_cast<uint32_t*>(to + i) = from[i] | static_cast<uint32_t>(from[i + 1]) << 8 | high;
        }
    } else {
        for (int i = 0; i < chunk_bytes; i++) to[i] = from[i];
    }
}
LAUNCHABLE(relay)
