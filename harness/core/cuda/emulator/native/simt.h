// The CUDA execution model on the CPU: what a kernel compiled by g++ calls instead of the GPU.
//
// A CUDA thread is a fiber; a block runs on one OS thread, its warps one after another, each as far as it can get,
// so threads are as skewed as the barriers allow. Warp-wide operations are evaluated by the last lane to arrive.
// Nothing here is fast, and nothing here measures: it exists to show that a kernel is right.
#pragma once
#include <cstddef>
#include <cstdint>

namespace simt {

struct Dim3 {
  unsigned x, y, z;
};

// The order in which ready warps and lanes run, and when a cp.async copies.
enum class Schedule : int {
  forward = 0,  // ascending; copies as late as allowed
  reverse = 1,  // descending; copies at once
  random = 2    // shuffled by the seed at every step; each copy early or late by a coin
};

constexpr int warp_lanes = 32;
constexpr unsigned full_mask = 0xffffffffU;

Dim3 thread_index();
Dim3 block_index();
Dim3 block_extent();
Dim3 grid_extent();
unsigned lane_index();
unsigned live_lanes();

// Ends the launch with this message, prefixed with block and thread.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Block barrier. Returns over all threads of the block: how many gave a true predicate.
int barrier(int predicate, const char* where);

// Dynamic shared memory of the block, and a static array of it known by its place in the source.
void* dynamic_shared();
void* static_shared(const void* site, size_t n_bytes, size_t alignment);

// A warp operation sees every participating lane's own argument struct: args[lane], nullptr where absent.
using WarpOperation = void (*)(void** args, unsigned mask);
void collective(unsigned mask, WarpOperation operation, void* args, const char* where);

enum class Shuffle : int { index, up, down, butterfly };
uint32_t shuffle(Shuffle mode, unsigned mask, uint32_t value, int lane_or_delta, int width, const char* where);
uint32_t ballot(unsigned mask, int predicate, const char* where);
int reduce_add(unsigned mask, int value, const char* where);

// Fragments as the PTX ISA lays them out for mma.m16n8k{8,16,32}, mma.m8n8k16 and ldmatrix.m8n8.
void mma_s8(int m, int k, int32_t* d, const uint32_t* a, const uint32_t* b, const char* where);
void mma_f16(int k, float* d, const uint32_t* a, const uint32_t* b, const char* where);
void load_matrix(int count, bool transpose, uint32_t* d, const void* row, const char* where);

void async_copy(void* shared, const void* global, unsigned n_bytes, unsigned n_source_bytes);
void async_commit();
void async_wait(unsigned n_pending);

using ThreadMain = void (*)(void* args);

}  // namespace simt

extern "C" {
// Returns 0, or 1 with the reason in simt_error(). `n_shared` is the dynamic shared memory in bytes.
int simt_launch(simt::ThreadMain main, void* args, const unsigned* grid, const unsigned* block, unsigned n_shared,
                int schedule, unsigned seed);
const char* simt_error();
}
