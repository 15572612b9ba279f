// IQ2_K (ik_llama.cpp): 256 weights in 76 bytes: float16 d, 16 bits that choose a table per 16 weights, 8 bytes of
// 4-bit scales, 64 bytes of 2-bit codes. w = d * (scale - 8) * table[code].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq2_k) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 76;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block);
    const int tables = load_u16(block + 2) >> (2 * within);
    const std::uint8_t* pairs = block + 12 + within / 4 * 32;
    for (int g = 0; g < 2; ++g) {
      scales[g] = d * static_cast<float>((block[4 + within] >> (4 * g) & 15) - 8);
      const int shift = (tables >> g & 1) * kIq2Shift;
      for (int i = 16 * g; i < 16 * (g + 1); ++i) {
        codes[i] = static_cast<std::int8_t>(kIq2Values[pairs[i] >> (2 * (within % 4)) & 3] + shift);
      }
    }
  }
}

}  // namespace harness
