// Tiles of slots: what the grid of a product of experts walks, made on the device by tiles.cu.
#pragma once
#include "gpu.cuh"

struct __align__(16) Tile {
    int expert, first, count, unused;  // slots order[first] .. order[first + count - 1]; none: count 0
};
