// Up to three matrices of one format that meet the same activations in one launch, as q, k and v do. Row tiles of a grid are
// those of the first, then the second's, then the third's; a matrix that is not there has no rows.
#pragma once
#include "gpu.cuh"

struct Part {
    const uint8_t* weights;
    int first_row, n_rows;  // of `weights`
    const float* bias;      // [n_rows]; may be null
    float* y;               // [T, n_rows]
};

#define PART_(p)                                                                                                       \
    const uint8_t *__restrict__ weights_##p, int first_row_##p, int n_rows_##p, const float *__restrict__ bias_##p,     \
        float *__restrict__ y_##p
#define PARTS PART_(0), PART_(1), PART_(2)
#define PART_OF_(p) {weights_##p, first_row_##p, n_rows_##p, bias_##p, y_##p}
#define PARTS_GIVEN PART_OF_(0), PART_OF_(1), PART_OF_(2)

// A block's part, and the first of its own rows in it.
struct Own {
    Part part;
    int first;
};

template <int tile_rows>
__device__ __forceinline__ Own own_part(int tile, const Part& a, const Part& b, const Part& c) {
    const int until_b = (a.n_rows + tile_rows - 1) / tile_rows, until_c = until_b + (b.n_rows + tile_rows - 1) / tile_rows;
    if (tile < until_b) return {a, tile * tile_rows};
    if (tile < until_c) return {b, (tile - until_b) * tile_rows};
    return {c, (tile - until_c) * tile_rows};
}
