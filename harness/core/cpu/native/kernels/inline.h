// How a kernel's parts are joined to it, so that a vector never crosses a call nor leaves its register.
#pragma once
#include <type_traits>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
#define HARNESS_PRAGMA(text) _Pragma(#text)
#define UNROLL(n) HARNESS_PRAGMA(GCC unroll n)

namespace harness {

/// Calls f(integral_constant) for FIRST <= i < LAST.
template <int FIRST, int LAST, class F>
INLINE void each_step(F&& f) {
  if constexpr (FIRST < LAST) {
    f(std::integral_constant<int, FIRST>{});
    each_step<FIRST + 1, LAST>(f);
  }
}

}  // namespace harness
