// IQ5_K (ik_llama.cpp): 256 weights in 176 bytes: float16 d, 16 bits that choose a table per 16 weights, 4 + 8 bytes of
// 6-bit scales, 128 bytes of nibbles, 32 bytes of fifth bits. w = d * (scale - 32) * table[code].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq5_k) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 176;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block);
    const int tables = load_u16(block + 2) >> (2 * within);
    const int high_scales = block[4 + within / 2] >> (4 * (within % 2));
    const int low_scales = block[8 + within];
    const std::uint8_t* low = block + 16 + within / 2 * 32;
    const std::uint8_t* high = block + 144;
    for (int g = 0; g < 2; ++g) {
      const int scale = (low_scales >> (4 * g) & 15) | (high_scales >> (2 * g) & 3) << 4;
      scales[g] = d * static_cast<float>(scale - 32);
      const int shift = (tables >> g & 1) * kIq5Shift;
      for (int i = 16 * g; i < 16 * (g + 1); ++i) {
        const int index = (low[i] >> (4 * (within % 2)) & 15) | (high[i] >> within & 1) << 4;
        codes[i] = static_cast<std::int8_t>(kIq5Values[index] + shift);
      }
    }
  }
}

}  // namespace harness
