// Keys or values of one layer: f16 [n_ctx, n_head_kv, d], or q8_0: int8 of that shape and f16 scales a block of 32 each,
// [n_ctx, n_head_kv, d / 32]. A number of q8_0 reads back as float(scale) * code.
#pragma once
#include "gpu.cuh"

struct KvSide {
    const void* rows;
    const half_bits* scales;  // null for f16
};

template <bool is_q8> __device__ __forceinline__ float kv_number(KvSide side, size_t at) {
    if (!is_q8) return half_to_float(static_cast<const half_bits*>(side.rows)[at]);
    const int code = static_cast<const int8_t*>(side.rows)[at];
    return __fmul_rn(half_to_float(side.scales[at / 32]), __int2float_rn(code));
}

// Eight codes of one block of 32, in the order of their bytes.
__device__ __forceinline__ void eight_of_codes(uint2 codes, float scale, float (&x)[8]) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int8_t code = static_cast<int8_t>((i < 4 ? codes.x : codes.y) >> i % 4 * 8);
        x[i] = __fmul_rn(scale, __int2float_rn(code));
    }
}

// Eight numbers beside each other; `at` is a multiple of 8.
template <bool is_q8> __device__ __forceinline__ void kv_eight(KvSide side, size_t at, float (&x)[8]) {
    if (is_q8) {
        const uint2 codes = *reinterpret_cast<const uint2*>(static_cast<const int8_t*>(side.rows) + at);
        eight_of_codes(codes, half_to_float(side.scales[at / 32]), x);
    } else {
        const uint4 halves = *reinterpret_cast<const uint4*>(static_cast<const half_bits*>(side.rows) + at);
        const uint32_t pairs[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
        for (int i = 0; i < 8; i++) x[i] = half_to_float(static_cast<half_bits>(pairs[i / 2] >> i % 2 * 16));
    }
}
