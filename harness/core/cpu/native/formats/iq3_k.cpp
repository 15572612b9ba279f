// IQ3_K (ik_llama.cpp): 256 weights in 110 bytes: float16 d, 16 bits that choose a table per 16 weights, 16 signs and 8
// bytes of 4-bit scales, 64 bytes of 2-bit codes, 32 bytes of high bits. w = d * +-(2 scale + 1) * table[code].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq3_k) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 110;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block);
    const int tables = load_u16(block + 2) >> (2 * within);
    const int negative = load_u16(block + 4) >> (2 * within);
    const std::uint8_t* pairs = block + 14 + within / 4 * 32;
    const std::uint8_t* high = block + 78;
    for (int g = 0; g < 2; ++g) {
      const int scale = 2 * (block[6 + within] >> (4 * g) & 15) + 1;
      scales[g] = d * static_cast<float>((negative >> g & 1) != 0 ? -scale : scale);
      const int shift = (tables >> g & 1) * kIq3Shift;
      for (int i = 16 * g; i < 16 * (g + 1); ++i) {
        const int index = (pairs[i] >> (2 * (within % 4)) & 3) | (high[i] >> within & 1) << 2;
        codes[i] = static_cast<std::int8_t>(kIq3Values[index] + shift);
      }
    }
  }
}

}  // namespace harness
