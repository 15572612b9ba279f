// Codebooks of the i-quants; grids.inc is made by CMake from harness/core/formats/grids.txt.
#pragma once
#include <cstdint>

namespace harness {

extern const std::int8_t kGridIq2Xxs[256][8];

/// Bit k of the index is the sign of value k; the eighth makes the minuses even in number.
inline std::uint8_t sign_bits(std::uint32_t index) {
  return static_cast<std::uint8_t>(index | static_cast<std::uint32_t>(__builtin_parity(index)) << 7);
}

}  // namespace harness
