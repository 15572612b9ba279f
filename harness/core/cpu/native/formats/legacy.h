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

}  // namespace harness
