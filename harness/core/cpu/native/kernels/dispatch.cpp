#include <array>
#include <utility>

#include "kernels/kernels.h"

namespace harness {

Packing packing_of(const FormatInfo& format) {
  const bool minimum = format.has_minimum;
  switch (format.range) {
    case CodeRange::tiny:
    case CodeRange::tiny_plus:
    case CodeRange::small:
      break;
    case CodeRange::grid:
      return {Kind::grid, Order::pairs, format.bias};
    case CodeRange::wide:
    case CodeRange::none:
      return {format.group == 16 ? Kind::wide16 : Kind::wide, Order::natural, format.bias};
  }
  if (format.group == 16) return {minimum ? Kind::small16_min : Kind::small16, Order::natural, format.bias};
  if (format.range == CodeRange::tiny_plus) return {Kind::tiny_plus_min, Order::natural, format.bias};
  return {minimum ? Kind::tiny_min : Kind::tiny, Order::natural, format.bias};
}

std::span<const Kernels* const> usable_kernels() {
  static const auto tables = [] {
    std::array<const Kernels*, 3> list{&kScalarKernels};
    std::size_t n = 1;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
      list[n++] = &kAvx2Kernels;
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")) {
        list[n++] = &kAvx512Kernels;
      }
    }
#endif
    return std::pair(list, n);
  }();
  return {tables.first.data(), tables.second};
}

}  // namespace harness
