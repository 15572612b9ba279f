// IQ1_S: 256 weights in 50 bytes: float16 d, 32 low bytes of codebook indices, then per 32 weights a word of four 3-bit
// high parts, a 3-bit scale and the sign of the shift. w = d * (2 scale + 1) / 8 * (8 value +- 1).
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq1_s) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 50;
    const int within = static_cast<int>((first_block + b) % 8);
    const int word = load_u16(block + 34 + 2 * within);
    scales[b] = load_half(block) * static_cast<float>(2 * (word >> 12 & 7) + 1) * 0.125F;
    const int shift = (word & 0x8000) != 0 ? -1 : 1;
    for (int i = 0; i < 4; ++i, codes += 8) {
      const int index = block[2 + 4 * within + i] | (word >> (3 * i) & 7) << 8;
      for (int k = 0; k < 8; ++k) codes[k] = static_cast<std::int8_t>(8 * kGridIq1[index][k] + shift);
    }
  }
}

}  // namespace harness
