// Activation functions of gate and up; `kind` 0 swiglu, 1 swiglu_oai (gpt-oss: clamped, sigmoid of 1.702 gate).
#pragma once
#include "arithmetic.cuh"

__device__ __forceinline__ float activate(int kind, float gate, float up) {
    if (kind == 0) return __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0f, exponential(-gate))), up);
    const float g = fminf(gate, 7.0f), u = fminf(fmaxf(up, -7.0f), 7.0f);
    return __fmul_rn(__fdiv_rn(g, __fadd_rn(1.0f, exponential(-__fmul_rn(1.702f, g)))), __fadd_rn(u, 1.0f));
}
