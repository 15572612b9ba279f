// Activation functions of gate and up; `kind` 0 swiglu, 1 swiglu_oai (gpt-oss: clamped, sigmoid of 1.702 gate).
#pragma once
#include "gpu.cuh"

__device__ __forceinline__ float sigmoid(float x) { return __fdiv_rn(1.0f, __fadd_rn(1.0f, expf(-x))); }

__device__ __forceinline__ float activate(int kind, float gate, float up) {
    if (kind == 0) return __fmul_rn(__fmul_rn(gate, sigmoid(gate)), up);
    const float g = fminf(gate, 7.0f), u = fminf(fmaxf(up, -7.0f), 7.0f);
    return __fmul_rn(__fmul_rn(g, sigmoid(__fmul_rn(1.702f, g))), __fadd_rn(u, 1.0f));
}
