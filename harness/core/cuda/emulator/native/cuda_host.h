// CUDA's words for g++: included first in every .cu file when it is compiled for the emulator.
//
// Only what the kernels use is here; a kernel that uses more does not compile, which is the point.
#pragma once
#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>

#include "simt.h"

#ifdef SIMT_CHECK
// Tells the checker where this module lies: its constants may be read, and a report's place is counted from here.
extern "C" const char __ehdr_start __attribute__((visibility("hidden")));
extern "C" const char _end __attribute__((visibility("hidden")));
extern "C" void simt_check_module(const void* address, size_t n_bytes);
__attribute__((constructor)) static void simt_register_module() {
  simt_check_module(&__ehdr_start, static_cast<size_t>(&_end - &__ehdr_start));
}
#endif

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __constant__ static const
#define __align__(n) alignas(n)

#define threadIdx (simt::thread_index())
#define blockIdx (simt::block_index())
#define blockDim (simt::block_extent())
#define gridDim (simt::grid_extent())

#define SIMT_TEXT_(x) #x
#define SIMT_TEXT(x) SIMT_TEXT_(x)
#define SIMT_HERE(what) what " at " __FILE__ ":" SIMT_TEXT(__LINE__)

#define __syncthreads() ((void)simt::barrier(0, SIMT_HERE("__syncthreads")))
#define __syncthreads_count(predicate) (simt::barrier((predicate) ? 1 : 0, SIMT_HERE("__syncthreads_count")))
#define __syncwarp() (simt::collective(simt::live_lanes(), nullptr, nullptr, SIMT_HERE("__syncwarp")))
#define __shfl_sync(mask, value, lane) (simt_shuffle(simt::Shuffle::index, mask, value, lane, SIMT_HERE("__shfl_sync")))
#define __shfl_xor_sync(mask, value, lanes) \
  (simt_shuffle(simt::Shuffle::butterfly, mask, value, lanes, SIMT_HERE("__shfl_xor_sync")))
#define __shfl_up_sync(mask, value, delta) \
  (simt_shuffle(simt::Shuffle::up, mask, value, delta, SIMT_HERE("__shfl_up_sync")))
#define __shfl_down_sync(mask, value, delta) \
  (simt_shuffle(simt::Shuffle::down, mask, value, delta, SIMT_HERE("__shfl_down_sync")))
#define __ballot_sync(mask, predicate) (simt::ballot(mask, (predicate) ? 1 : 0, SIMT_HERE("__ballot_sync")))

template <typename T>
inline T simt_shuffle(simt::Shuffle mode, unsigned mask, T value, int operand, const char* where) {
  static_assert(sizeof(T) == 4, "shuffles move 32-bit values");
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits = simt::shuffle(mode, mask, bits, operand, simt::warp_lanes, where);
  memcpy(&value, &bits, 4);
  return value;
}

// Shared arrays have their place in the block's memory, where the checker sees their bounds.
#define SHARED(type, name, count)    \
  static const char name##_site = 0; \
  type* const name = static_cast<type*>(simt::static_shared(&name##_site, sizeof(type) * (count), 16))
#define DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(simt::dynamic_shared())

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

inline int __dp4a(int a, int b, int sum) {
  for (int shift = 0; shift < 32; shift += 8) sum += static_cast<int8_t>(a >> shift) * static_cast<int8_t>(b >> shift);
  return sum;
}
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
  const uint64_t bytes = static_cast<uint64_t>(high) << 32 | low;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) result |= static_cast<unsigned>(bytes >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
  return result;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline float __int_as_float(int bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
inline float __uint_as_float(unsigned bits) { return __int_as_float(static_cast<int>(bits)); }
inline int __float_as_int(float value) {
  int bits;
  memcpy(&bits, &value, 4);
  return bits;
}
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
template <typename T>
inline T min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
inline T max(T a, T b) {
  return a < b ? b : a;
}
template <typename T>
inline T __ldg(const T* address) {
  return *address;
}
inline int atomicAdd(int* address, int value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

template <typename... Args>
struct SimtKernel {
  void (*kernel)(Args...);
  void** args;
  // Reading the arguments is the driver's part, not the kernel's: the checker does not watch it.
  template <size_t... I>
  __attribute__((no_sanitize("thread"))) void call(std::index_sequence<I...>) const {
    kernel(*static_cast<Args*>(args[I])...);
  }
  __attribute__((no_sanitize("thread"))) static void thread_main(void* self) {
    static_cast<const SimtKernel*>(self)->call(std::index_sequence_for<Args...>{});
  }
};
template <typename... Args>
int simt_launch_kernel(void (*kernel)(Args...), void** args, const unsigned* grid, const unsigned* block,
                       unsigned n_shared, int schedule, unsigned seed) {
  SimtKernel<Args...> call{kernel, args};
  return simt_launch(SimtKernel<Args...>::thread_main, &call, grid, block, n_shared, schedule, seed);
}
// Behind a kernel's definition: makes it launchable by name, as the driver does on a GPU. Nothing on the device.
#define LAUNCHABLE(kernel)                                                                                     \
  extern "C" int emulate_##kernel(void** args, const unsigned* grid, const unsigned* block, unsigned n_shared, \
                                  int schedule, unsigned seed) {                                               \
    return simt_launch_kernel(kernel, args, grid, block, n_shared, schedule, seed);                            \
  }
