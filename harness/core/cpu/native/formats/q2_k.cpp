// Q2_K: 256 weights in 84 bytes: 16 bytes of scale and minimum nibbles, 64 bytes of 2-bit codes, float16 d and dmin.
// w = d * scale * code - dmin * minimum, per 16 weights.
#include "formats/decoders.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_q2_k) {
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2, minimums += 2) {
    const std::uint8_t* block = row + b / 8 * 84;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block + 80);
    const float dmin = load_half(block + 82);
    for (int g = 0; g < 2; ++g) {
      const std::uint8_t nibbles = block[2 * within + g];
      scales[g] = d * static_cast<float>(nibbles & 15);
      minimums[g] = dmin * static_cast<float>(nibbles >> 4);
    }
    const std::uint8_t* packed = block + 16 + within / 4 * 32;
    const int shift = 2 * (within % 4);
    for (int i = 0; i < 32; ++i) codes[i] = static_cast<std::int8_t>(packed[i] >> shift & 3);
  }
}

}  // namespace harness
