// What CUDA C++ does not say in words: the only file with inline PTX, each operation with a device and a host version.
//
// Included by every kernel. Under NVRTC it defines fixed-width integers itself, since no host header is there;
// under g++ (`SIMT`) CUDA's words come from the emulator.
#pragma once

#ifdef SIMT
#include "cuda_host.h"
#else
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define SHARED(type, name, count) __shared__ __align__(16) type name[count]
#define DYNAMIC_SHARED(type, name)                                                                                     \
    extern __shared__ __align__(128) unsigned char dynamic_shared_bytes[];                                             \
    type* const name = reinterpret_cast<type*>(dynamic_shared_bytes)
#define LAUNCHABLE(kernel)
#endif

#if defined(SIMT) || __CUDA_ARCH__ >= 800
#define COPIES_TRAVEL  // to shared memory by themselves, see copy_async_16
#endif

#define FULL_MASK 0xffffffffu
#define NEGATIVE_INFINITY __int_as_float(static_cast<int>(0xff800000u))

typedef uint16_t half_bits;  // IEEE binary16 as bits: no header of CUDA's is needed to load one

#ifdef SIMT

inline float half_to_float(half_bits bits) {
    _Float16 value;
    memcpy(&value, &bits, 2);
    return static_cast<float>(value);
}
inline half_bits float_to_half(float value) {
    const _Float16 half = static_cast<_Float16>(value);
    half_bits bits;
    memcpy(&bits, &half, 2);
    return bits;
}
inline void mma_s8_16832(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    simt::mma_s8(16, 32, d, a, b, "mma.m16n8k32.s8");
}
inline void mma_f16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    simt::mma_f16(16, d, a, b, "mma.m16n8k16.f16");
}
inline void mma_s8_16816(int (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    const uint32_t a[2] = {a0, a1};
    simt::mma_s8(16, 16, d, a, &b, "mma.m16n8k16.s8");
}
inline void mma_s8_8816(int (&d)[2], uint32_t a, uint32_t b) { simt::mma_s8(8, 16, d, &a, &b, "mma.m8n8k16.s8"); }
inline void mma_f16_1688(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    const uint32_t a[2] = {a0, a1};
    simt::mma_f16(8, d, a, &b, "mma.m16n8k8.f16");
}
inline void load_matrix_x4(uint32_t (&d)[4], const void* row) { simt::load_matrix(4, false, d, row, "ldmatrix.x4"); }
inline void load_matrix_x2(uint32_t (&d)[2], const void* row) { simt::load_matrix(2, false, d, row, "ldmatrix.x2"); }
inline void load_matrix_x2_transposed(uint32_t (&d)[2], const void* row) {
    simt::load_matrix(2, true, d, row, "ldmatrix.x2.trans");
}
inline void load_matrix_x4_transposed(uint32_t (&d)[4], const void* row) {
    simt::load_matrix(4, true, d, row, "ldmatrix.x4.trans");
}
inline uint32_t pack_halves(float low, float high) {
    return float_to_half(low) | static_cast<uint32_t>(float_to_half(high)) << 16;
}
inline float exp2_of_card(float x) { return std::exp2(x); }
inline void copy_async_16(void* shared, const void* global) { simt::async_copy(shared, global, 16, 16); }
inline void copy_async_commit() { simt::async_commit(); }
template <int pending> inline void copy_async_wait() { simt::async_wait(pending); }

#else

__device__ __forceinline__ float half_to_float(half_bits bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
__device__ __forceinline__ half_bits float_to_half(float value) {
    half_bits bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
// 2^x as the card's own unit has it, within 2^-22; below 2^-126 it is 0.
__device__ __forceinline__ float exp2_of_card(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

__device__ __forceinline__ void mma_s8_8816(int (&d)[2], uint32_t a, uint32_t b) {
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+r"(d[0]), "+r"(d[1])
                 : "r"(a), "r"(b));
}
__device__ __forceinline__ void mma_f16_1688(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a0), "r"(a1), "r"(b));
}

#if __CUDA_ARCH__ >= 800

__device__ __forceinline__ uint32_t pack_halves(float low, float high) {
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
__device__ __forceinline__ void mma_s8_16832(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_s8_16816(int (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a0), "r"(a1), "r"(b));
}
__device__ __forceinline__ void mma_f16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global) : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int pending> __device__ __forceinline__ void copy_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

#else  // sm_75: copies that are over when they return, conversions one by one

__device__ __forceinline__ uint32_t pack_halves(float low, float high) {
    return float_to_half(low) | static_cast<uint32_t>(float_to_half(high)) << 16;
}
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
    *static_cast<int4*>(shared) = *static_cast<const int4*>(global);
}
__device__ __forceinline__ void copy_async_commit() {}
template <int pending> __device__ __forceinline__ void copy_async_wait() {}

#endif

__device__ __forceinline__ void load_matrix_x4(uint32_t (&d)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(shared_address(row))
                 : "memory");
}
__device__ __forceinline__ void load_matrix_x4_transposed(uint32_t (&d)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(shared_address(row))
                 : "memory");
}
__device__ __forceinline__ void load_matrix_x2(uint32_t (&d)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(d[0]), "=r"(d[1])
                 : "r"(shared_address(row))
                 : "memory");
}
__device__ __forceinline__ void load_matrix_x2_transposed(uint32_t (&d)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(d[0]), "=r"(d[1])
                 : "r"(shared_address(row))
                 : "memory");
}

#endif

// The same fragments out of the smaller products that sm_75 has.
__device__ __forceinline__ void mma_s8_16816_by_8816(int (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    int upper[2] = {d[0], d[1]}, lower[2] = {d[2], d[3]};
    mma_s8_8816(upper, a0, b);
    mma_s8_8816(lower, a1, b);
    d[0] = upper[0], d[1] = upper[1], d[2] = lower[0], d[3] = lower[1];
}
__device__ __forceinline__ void mma_s8_16832_by_8816(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_s8_16816_by_8816(d, a[0], a[1], b[0]);
    mma_s8_16816_by_8816(d, a[2], a[3], b[1]);
}
__device__ __forceinline__ void mma_f16_16816_by_1688(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_f16_1688(d, a[0], a[1], b[0]);
    mma_f16_1688(d, a[2], a[3], b[1]);
}

#if !defined(SIMT) && __CUDA_ARCH__ < 800
__device__ __forceinline__ void mma_s8_16816(int (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    mma_s8_16816_by_8816(d, a0, a1, b);
}
__device__ __forceinline__ void mma_s8_16832(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_s8_16832_by_8816(d, a, b);
}
__device__ __forceinline__ void mma_f16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_f16_16816_by_1688(d, a, b);
}
#endif
