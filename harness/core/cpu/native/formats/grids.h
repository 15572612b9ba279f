// Codebooks of the i-quants; grids.inc is made by CMake from harness/core/formats/grids.txt.
#pragma once
#include <cstdint>

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

/// `n` codes: magnitudes, negative where bit k of `signs` is set.
inline void apply_signs(const std::int8_t* magnitudes, unsigned signs, int n, std::int8_t* codes) {
  for (int k = 0; k < n; ++k) {
    codes[k] = static_cast<std::int8_t>((signs >> k & 1U) != 0 ? -magnitudes[k] : magnitudes[k]);
  }
}

}  // namespace harness
