// Value tables of the non-linear formats. A bit per group may select the same values, all of them shifted.
#pragma once
#include <cstdint>

namespace harness {

inline constexpr std::int8_t kIq2Values[4] = {-31, -13, 1, 17};
inline constexpr std::int8_t kIq3Values[8] = {-63, -40, -23, -10, 1, 13, 28, 47};
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};
inline constexpr std::int8_t kIq5Values[32] = {-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36,
                                               -30,  -24,  -18,  -12, -6,  -1,  5,   11,  17,  23,  29,
                                               36,   43,   51,   59,  68,  77,  87,  97,  109, 121};
inline constexpr int kIq2Shift = 5;
inline constexpr int kIq3Shift = 4;
inline constexpr int kIq4Shift = 4;
inline constexpr int kIq5Shift = 2;

/// 32 nibbles, low ones first, to their values in the 4-bit table.
inline void look_up_nibbles(const std::uint8_t* packed, int shift, std::int8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = static_cast<std::int8_t>(kIq4Values[packed[i] & 15] + shift);
    codes[i + 16] = static_cast<std::int8_t>(kIq4Values[packed[i] >> 4] + shift);
  }
}

}  // namespace harness
