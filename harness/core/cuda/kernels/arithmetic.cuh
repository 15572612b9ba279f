// What docs/numerics.md fixes for everybody: exp as one polynomial, the tree that ends a sum in eight parts, and codes
// for a block of 32 numbers.
#pragma once
#include "gpu.cuh"

// e^x within 2 ulp; 0 below -87, e^88 above 88; NaN stays NaN.
__device__ __forceinline__ float exponential(float x) {
    const float bounded = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    const float n = __fadd_rn(__fmaf_rn(bounded, 1.44269504f, rounder), -rounder);
    const float r = __fmaf_rn(n, 2.12194440e-4f, __fmaf_rn(n, -0.693359375f, bounded));
    float p = 1.9875691500e-4f;
    p = __fmaf_rn(p, r, 1.3981999507e-3f);
    p = __fmaf_rn(p, r, 8.3334519073e-3f);
    p = __fmaf_rn(p, r, 4.1665795894e-2f);
    p = __fmaf_rn(p, r, 1.6666665459e-1f);
    p = __fmaf_rn(p, r, 5.0000001201e-1f);
    const float y = __fadd_rn(__fmaf_rn(p, __fmul_rn(r, r), r), 1.0f);
    const float power = __int_as_float((__float2int_rn(n) + 127) << 23);  // n is -126 … 127
    return x < -87.0f ? 0.0f : __fmul_rn(y, power);
}

// ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) in each of eight neighbouring lanes, all lanes of the warp taking part.
__device__ __forceinline__ float sum_of_eight_lanes(float s) {
    for (int distance = 4; distance > 0; distance /= 2) s = __fadd_rn(s, __shfl_xor_sync(FULL_MASK, s, distance));
    return s;
}

// A softmax's sixteen partial sums, in sixteen neighbouring lanes: folded to eight, then as eight.
__device__ __forceinline__ float sum_of_sixteen_lanes(float s) {
    return sum_of_eight_lanes(__fadd_rn(s, __shfl_xor_sync(FULL_MASK, s, 8)));
}

// What a block of 32 numbers is quantised by, from the largest of their magnitudes.
struct Step {
    float inverse, scale;
};
__device__ __forceinline__ Step step_of(float largest) {
    return {largest > 0.0f ? __fdiv_rn(127.0f, largest) : 0.0f, __fdiv_rn(largest, 127.0f)};
}
__device__ __forceinline__ int8_t code_of(float value, float inverse) {
    return static_cast<int8_t>(__float2int_rn(__fmul_rn(value, inverse)));
}

struct Quantized {
    int8_t code;
    float scale;  // the same in all lanes
};

// A warp's block of 32 numbers, one a lane.
__device__ __forceinline__ Quantized quantized(float value) {
    float largest = fabsf(value);
    for (int distance = 16; distance > 0; distance /= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(FULL_MASK, largest, distance));
    }
    const Step step = step_of(largest);
    return {code_of(value, step.inverse), step.scale};
}
