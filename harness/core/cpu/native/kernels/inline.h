// How a kernel's parts are joined to it, so that a vector never crosses a call nor leaves its register.
#pragma once
#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
#define HARNESS_PRAGMA(text) _Pragma(#text)
#define UNROLL(n) HARNESS_PRAGMA(GCC unroll n)
