// IQ4_KSS (ik_llama.cpp): a row begins with float32 d; 256 weights in 128 bytes of nibbles in which scales hide: per 32
// weights the lowest bits of eight words make IQ4_KS's byte; the other bits, XORed with themselves shifted right by
// one, are the nibbles. w = d * ((byte & 254) - 127) * table[nibble].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq4_kss) {
  (void)minimums;
  constexpr int kHeader = 4;
  const float d = load_float(row);
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* words = row + kHeader + (first_block + b) * 16;
    int packed = 0;
    std::uint8_t nibbles[16];
    for (int i = 0; i < 8; ++i) {
      const unsigned word = load_u16(words + 2 * i);
      packed |= static_cast<int>(word & 1U) << i;
      const unsigned even = word & 0xfffeU;
      const unsigned mixed = even ^ even >> 1;
      nibbles[2 * i] = static_cast<std::uint8_t>(mixed);
      nibbles[2 * i + 1] = static_cast<std::uint8_t>(mixed >> 8);
    }
    scales[b] = d * static_cast<float>((packed & 254) - 127);
    look_up_nibbles(nibbles, (packed & 1) * kIq4Shift, codes);
  }
}

}  // namespace harness
