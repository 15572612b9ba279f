// Q3_K: 256 weights in 110 bytes: 32 bytes of high bits, 64 bytes of 2-bit codes, 12 bytes of 6-bit scales per 16,
// float16 d. w = d * (scale - 32) * (code - 4). Scales: nibbles of 8 bytes, then bit pairs of 4 bytes.
#include "formats/decoders.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_q3_k) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, codes += 32, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 110;
    const int within = static_cast<int>(b % 8);
    const std::uint8_t* packed_scales = block + 96;
    const float d = load_half(block + 108);
    for (int g = 0; g < 2; ++g) {
      const int index = 2 * within + g;
      const int low = packed_scales[index % 8] >> (4 * (index / 8)) & 15;
      const int high = packed_scales[8 + index % 4] >> (2 * (index / 4)) & 3;
      scales[g] = d * static_cast<float>((low | high << 4) - 32);
    }
    const std::uint8_t* pairs = block + 32 + within / 4 * 32;
    for (int i = 0; i < 32; ++i) {
      const int code = (pairs[i] >> (2 * (within % 4)) & 3) | (block[i] >> within & 1) << 2;
      codes[i] = static_cast<std::int8_t>(code - 4);
    }
  }
}

}  // namespace harness
