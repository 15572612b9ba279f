// Q5_K: 256 weights in 176 bytes: float16 d and dmin, 12 bytes of 6-bit scales and minimums, 32 bytes of fifth bits,
// 128 bytes of nibbles. w = d * scale * code - dmin * minimum, per 32 weights.
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/k_scales.h"

namespace harness {

HARNESS_DECODER(decode_q5_k) {
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 176;
    const int within = static_cast<int>((first_block + b) % 8);
    const ScaleAndMinimum packed_scale = k_scale(block + 4, within);
    scales[b] = load_half(block) * static_cast<float>(packed_scale.scale);
    minimums[b] = load_half(block + 2) * static_cast<float>(packed_scale.minimum);
    const std::uint8_t* high = block + 16;
    const std::uint8_t* low = block + 48 + within / 2 * 32;
    const int shift = 4 * (within % 2);
    for (int i = 0; i < 32; ++i) {
      codes[i] = static_cast<std::int8_t>((low[i] >> shift & 15) | (high[i] >> within & 1) << 4);
    }
  }
}

}  // namespace harness
