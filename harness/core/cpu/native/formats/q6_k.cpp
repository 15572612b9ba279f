// Q6_K: 256 weights in 210 bytes: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 int8 scales, float16 d.
// w = d * scale * (code - 32), per 16 weights.
#include "formats/decoders.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_q6_k) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 210;
    const int within = static_cast<int>(b % 8);
    const int half = within / 4;     // 128 weights
    const int quarter = within % 4;  // 32 weights
    const float d = load_half(block + 208);
    for (int g = 0; g < 2; ++g) {
      scales[g] = d * static_cast<float>(static_cast<std::int8_t>(block[192 + 2 * within + g]));
    }
    const std::uint8_t* low = block + half * 64 + quarter % 2 * 32;
    const std::uint8_t* high = block + 128 + half * 32;
    const int low_shift = 4 * (quarter / 2);
    for (int i = 0; i < 32; ++i) {
      const int code = (low[i] >> low_shift & 15) | (high[i] >> (2 * quarter) & 3) << 4;
      codes[i] = static_cast<std::int8_t>(code - 32);
    }
  }
}

}  // namespace harness
