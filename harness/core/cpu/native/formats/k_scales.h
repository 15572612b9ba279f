// The 6-bit scales and minimums of Q4_K and Q5_K: eight of each in 12 bytes.
#pragma once
#include <cstdint>

namespace harness {

struct ScaleAndMinimum {
  int scale;
  int minimum;
};

inline ScaleAndMinimum k_scale(const std::uint8_t* packed, int index) {
  if (index < 4) return {packed[index] & 63, packed[index + 4] & 63};
  return {(packed[index + 4] & 15) | (packed[index - 4] >> 6) << 4, packed[index + 4] >> 4 | (packed[index] >> 6) << 4};
}

}  // namespace harness
