// RMS norm, number by number: x / sqrt(mean(x^2) + eps) * weight, in the order docs/numerics.md fixes.
#pragma once
#include "arithmetic.cuh"

__device__ __forceinline__ float factor_of(float squares, int n, float eps) {
    return __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(__fdiv_rn(squares, __int2float_rn(n)), eps)));
}

__device__ __forceinline__ float normed(float x, float factor, float weight) {
    return __fmul_rn(__fmul_rn(x, factor), weight);
}
