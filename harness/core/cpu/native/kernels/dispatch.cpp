#include <array>
#include <utility>

#include "formats/grids.h"
#include "kernels/kernels.h"

namespace harness {

Packing packing_of(const FormatInfo& format, Store store) {
  if (store == Store::iq2_xxs_small) return {Kind::wide, Order::strided, 128};
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

std::array<std::uint8_t, kBlock> bytes_in(Order order) {
  std::array<std::uint8_t, kBlock> at{};
  for (int i = 0; i < kBlock; ++i) {
    const int in_half = i % 16;
    const int paired = i - in_half + in_half / 4 * 2 + (i & 1) + (i & 2) * 4;
    const int strided = i % 4 * 8 + i / 4;
    const int column = order == Order::natural ? i : order == Order::pairs ? paired : strided;
    at[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(column);
  }
  return at;
}

Store store_of(const FormatInfo& format) {
  using Named = std::pair<std::string_view, Store>;
  static constexpr auto kNames = std::to_array<Named>(
      {{"MXFP4", Store::mxfp4},   {"Q4_0", Store::q4_0},       {"Q4_1", Store::q4_1},       {"Q5_0", Store::q5_0},
       {"Q5_1", Store::q5_1},     {"Q8_0", Store::q8_0},       {"Q2_K", Store::q2_k},       {"Q3_K", Store::q3_k},
       {"Q4_K", Store::q4_k},     {"Q5_K", Store::q5_k},       {"Q6_K", Store::q6_k},       {"IQ1_S", Store::iq1_s},
       {"IQ1_M", Store::iq1_m},   {"IQ2_XXS", Store::iq2_xxs}, {"IQ2_XS", Store::iq2_xs},   {"IQ2_S", Store::iq2_xs},
       {"IQ2_K", Store::iq2_k},   {"IQ2_KS", Store::iq2_ks},   {"IQ3_XXS", Store::iq3_xxs}, {"IQ3_S", Store::iq3_s},
       {"IQ3_K", Store::iq3_k},   {"IQ4_NL", Store::iq4_nl},   {"IQ4_XS", Store::iq4_xs},   {"IQ4_K", Store::iq4_k},
       {"IQ4_KS", Store::iq4_ks}, {"IQ4_KSS", Store::iq4_ks},  {"IQ5_K", Store::iq5_k}});
  for (const auto& [name, store] : kNames) {
    if (format.name == name) return store;
  }
  return Store::none;
}

Store small_store_of(const FormatInfo& format) {
  const Store store = store_of(format);
  return store == Store::iq2_xxs ? Store::iq2_xxs_small : store;
}

const std::uint16_t* entry_levels() {
  struct alignas(64) Table {
    std::uint16_t levels[256];
  };
  static const Table table = [] {
    Table made{};
    for (int i = 0; i < 256; ++i) {
      for (int k = 0; k < 8; ++k) {
        const int level = kGridIq2Xxs[i][k] == 8 ? 0 : kGridIq2Xxs[i][k] == 25 ? 1 : 2;
        made.levels[i] = static_cast<std::uint16_t>(made.levels[i] | level << (2 * k));
      }
    }
    return made;
  }();
  return table.levels;
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
