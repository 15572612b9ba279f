// IQ4_K (ik_llama.cpp): 256 weights in 144 bytes: float16 d, 16 bits that choose a table per 16 weights, 4 + 8 bytes
// of 6-bit scales, 128 bytes of nibbles. w = d * (scale - 32) * table[nibble].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq4_k) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 144;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block);
    const int tables = load_u16(block + 2) >> (2 * within);
    const int high = block[4 + within / 2] >> (4 * (within % 2));
    const int low = block[8 + within];
    const std::uint8_t* packed = block + 16 + within * 16;
    for (int g = 0; g < 2; ++g) {
      const int scale = (low >> (4 * g) & 15) | (high >> (2 * g) & 3) << 4;
      scales[g] = d * static_cast<float>(scale - 32);
      const int shift = (tables >> g & 1) * kIq4Shift;
      for (int i = 0; i < 16; ++i) {
        codes[16 * g + i] = static_cast<std::int8_t>(kIq4Values[packed[i] >> (4 * g) & 15] + shift);
      }
    }
  }
}

}  // namespace harness
