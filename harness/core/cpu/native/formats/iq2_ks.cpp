// IQ2_KS (ik_llama.cpp): a row begins with float16 d; 256 weights in 70 bytes: 8 bits that choose a table per 32
// weights, 8 high bits and 4 bytes of low nibbles of the scales, 64 bytes of 2-bit codes. w = d * (scale - 16) *
// table[code].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq2_ks) {
  (void)minimums;
  constexpr int kHeader = 2;
  const float d = load_half(row);
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + kHeader + (first_block + b) / 8 * 70;
    const int within = static_cast<int>((first_block + b) % 8);
    const int low = block[2 + within / 2] >> (4 * (within % 2)) & 15;
    const int high = block[1] >> within & 1;
    scales[b] = d * static_cast<float>((low | high << 4) - 16);
    const int shift = (block[0] >> within & 1) * kIq2Shift;
    const std::uint8_t* pairs = block + 6 + within / 4 * 32;
    for (int i = 0; i < 32; ++i) {
      codes[i] = static_cast<std::int8_t>(kIq2Values[pairs[i] >> (2 * (within % 4)) & 3] + shift);
    }
  }
}

}  // namespace harness
