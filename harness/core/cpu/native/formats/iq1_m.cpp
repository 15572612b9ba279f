// IQ1_M: 256 weights in 56 bytes: 32 low bytes of codebook indices, 16 bytes of nibbles (3 high bits, sign of the
// shift), then 4 words of four 3-bit scales, whose top nibbles make float16 d.
// w = d * (2 scale + 1) / 8 * (8 value +- 1), a scale per 16.
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq1_m) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 56;
    const int within = static_cast<int>(b % 8);
    int quarters = 0;
    for (int i = 0; i < 4; ++i) quarters |= (load_u16(block + 48 + 2 * i) >> 12) << (4 * i);
    const float d = half_to_float(static_cast<std::uint16_t>(quarters));
    for (int g = 0; g < 2; ++g) {
      const int word = load_u16(block + 48 + within / 2 * 2);
      const int scale = word >> (6 * (within % 2) + 3 * g) & 7;
      scales[g] = d * static_cast<float>(2 * scale + 1) * 0.125F;
    }
    for (int i = 0; i < 4; ++i, codes += 8) {
      const int nibble = block[32 + 2 * within + i / 2] >> (4 * (i % 2)) & 15;
      const int index = block[4 * within + i] | (nibble & 7) << 8;
      const int shift = (nibble & 8) != 0 ? -1 : 1;
      for (int k = 0; k < 8; ++k) codes[k] = static_cast<std::int8_t>(8 * kGridIq1[index][k] + shift);
    }
  }
}

}  // namespace harness
