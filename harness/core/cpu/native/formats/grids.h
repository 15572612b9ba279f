// Codebooks of the i-quants; grids.inc is made by CMake from harness/core/formats/grids.txt.
#pragma once
#include <cstdint>
#include <cstring>

namespace harness {

extern const std::int8_t kGridIq2Xxs[256][8];
extern const std::int8_t kGridIq2Xs[512][8];
extern const std::int8_t kGridIq2S[1024][8];
extern const std::int8_t kGridIq3Xxs[256][4];
extern const std::int8_t kGridIq3S[512][4];
extern const std::int8_t kGridIq1[2048][8];

/// Bit k of the index is the sign of value k; the eighth makes the minuses even in number.
inline std::uint8_t sign_bits(std::uint32_t index) {
  return static_cast<std::uint8_t>(index | static_cast<std::uint32_t>(__builtin_parity(index)) << 7);
}

/// N codes, 4 or 8: magnitudes (none of them 0), negative where bit k of `signs` is set.
template <int N>
void apply_signs(const std::int8_t* magnitudes, unsigned signs, std::int8_t* codes) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, magnitudes, N);
  // Bit k of `signs` to byte k as 1; then each byte is inverted and 1 added where that is set.
  const std::uint64_t bits = (signs & 255U) * 0x0101010101010101U & 0x8040201008040201U;
  const std::uint64_t ones = (bits + 0x7f7f7f7f7f7f7f7fU) >> 7 & 0x0101010101010101U;
  bytes = (bytes ^ ones * 255U) + ones;
  std::memcpy(codes, &bytes, N);
}

}  // namespace harness
