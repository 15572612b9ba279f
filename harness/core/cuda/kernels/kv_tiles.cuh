// Keys or values of 64 positions as halves in shared memory, [64 positions][width / 8 chunks of 8 halves]: what
// attention_mma.cu multiplies. Chunk c of row r is at place(r, c), which gives ldmatrix and 16-byte stores every bank once.
//
// f16 is copied asynchronously to its place. q8_0 is too where `is_staged`: its codes travel to memory of their own while
// other tiles are multiplied, and once they are there the thread that asked for them makes halves of them. Nobody else looks at
// them, so no barrier stands between. Where copies do not travel by themselves (sm_75) that would cost memory and gain
// nothing: codes become halves as they are loaded.
#pragma once
#include "kv_cache.cuh"

constexpr int tile = 64, threads = 128;

// Columns beyond a head's own are zeros.
template <int width> struct Tile {
    static constexpr int chunks = width / 8;
    static __device__ __forceinline__ int place(int row, int chunk) { return row * chunks + (chunk ^ (row & 7)); }
};

__device__ __forceinline__ uint4 packed_halves(const float (&x)[8]) {
    return {pack_halves(x[0], x[1]), pack_halves(x[2], x[3]), pack_halves(x[4], x[5]), pack_halves(x[6], x[7])};
}

__device__ __forceinline__ uint4 eight_halves(KvSide side, size_t at) {
    float x[8];
    kv_eight<true>(side, at, x);
    return packed_halves(x);
}

__device__ __forceinline__ uint4 halves_of_codes(uint2 codes, float scale) {
    float x[8];
    eight_of_codes(codes, scale, x);
    return packed_halves(x);
}

// A thread's copy of 16 codes: its row and its chunk of the row. Eight lanes have eight rows, so that what they store as halves
// meets every bank once; the lanes of a warp have 64 neighbouring columns of each, so that every sector is taken whole.
__device__ __forceinline__ int staged_row(int copy, int thread) { return (copy * 4 + (thread >> 5)) % 8 * 8 + thread % 8; }
__device__ __forceinline__ int staged_chunk(int copy, int thread) { return ((copy * 4 + (thread >> 5)) >> 3) * 4 + (thread >> 3 & 3); }

// One side of the cache, of the KV head that the block is for, and the tile in shared memory that it comes to.
template <int width, bool is_staged> struct Tiles {
    static constexpr int n_copies = width / 32;  // of 16 codes a thread
    using Of = Tile<width>;

    KvSide side;
    int n_head_kv, head_dim;
    uint4 *halves, *codes;  // codes [n_copies][128 threads]; none where they are not staged
    half_bits scales[n_copies];

    __device__ __forceinline__ size_t at(int position, int column) const {
        return (static_cast<size_t>(position) * n_head_kv + blockIdx.y) * head_dim + column;
    }

    // Whether a tile's halves come to their places by themselves, so that the tile before must have been read by then.
    __device__ __forceinline__ bool land_in_place() const { return !is_staged || side.scales == nullptr; }

    // The tile of positions from `first` on sets out; zeros where there is no key below `end` and no column below `head_dim`.
    __device__ __forceinline__ void fetch(int first, int end) {
        if (land_in_place()) {
            fetch_halves(first, end);
        } else {
            fetch_codes(first, end);
        }
        copy_async_commit();
    }

    // What the thread asked for and has waited for goes to its place.
    __device__ __forceinline__ void settle() const {
        if (land_in_place()) return;
#pragma unroll
        for (int i = 0; i < n_copies; i++) {
            const int row = staged_row(i, threadIdx.x), chunk = staged_chunk(i, threadIdx.x);
            const uint4 found = codes[i * threads + threadIdx.x];
            const float scale = half_to_float(scales[i]);
            halves[Of::place(row, 2 * chunk)] = halves_of_codes({found.x, found.y}, scale);
            halves[Of::place(row, 2 * chunk + 1)] = halves_of_codes({found.z, found.w}, scale);
        }
    }

  private:
    __device__ __forceinline__ void fetch_halves(int first, int end) {
#pragma unroll 4
        for (int i = threadIdx.x; i < tile * Of::chunks; i += threads) {
            const int row = i / Of::chunks, chunk = i % Of::chunks;
            uint4* place = halves + Of::place(row, chunk);
            if (first + row >= end || chunk * 8 >= head_dim) {
                *place = {0, 0, 0, 0};
            } else if (is_staged || side.scales == nullptr) {
                copy_async_16(place, static_cast<const half_bits*>(side.rows) + at(first + row, chunk * 8));
            } else {
                *place = eight_halves(side, at(first + row, chunk * 8));
            }
        }
    }

    __device__ __forceinline__ void fetch_codes(int first, int end) {
#pragma unroll
        for (int i = 0; i < n_copies; i++) {
            const int row = staged_row(i, threadIdx.x), column = staged_chunk(i, threadIdx.x) * 16;
            uint4* to = codes + i * threads + threadIdx.x;
            scales[i] = 0;
            if (first + row >= end || column >= head_dim) {
                *to = {0, 0, 0, 0};
                continue;
            }
            const size_t from = at(first + row, column);
            copy_async_16(to, static_cast<const int8_t*>(side.rows) + from);
            scales[i] = side.scales[from / 32];
        }
    }
};
