// What the formats with one float16 scale per 32 weights share: nibbles, low ones first.
#pragma once
#include <cstdint>

namespace harness {

inline void unpack_nibbles(const std::uint8_t* packed, int offset, std::int8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = static_cast<std::int8_t>((packed[i] & 15) - offset);
    codes[i + 16] = static_cast<std::int8_t>((packed[i] >> 4) - offset);
  }
}

/// Nibbles with a fifth bit each; bit i of `high` belongs to weight i.
inline void unpack_five_bits(const std::uint8_t* packed, std::uint32_t high, int offset, std::int8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    const auto low_bit = static_cast<int>(high >> i & 1U);
    const auto high_bit = static_cast<int>(high >> (i + 16) & 1U);
    codes[i] = static_cast<std::int8_t>(((packed[i] & 15) | low_bit << 4) - offset);
    codes[i + 16] = static_cast<std::int8_t>((packed[i] >> 4 | high_bit << 4) - offset);
  }
}

}  // namespace harness
