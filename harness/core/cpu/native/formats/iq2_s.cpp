// IQ2_S: 256 weights in 82 bytes: float16 d, 32 low bytes of codebook indices, 32 bytes of signs, 8 bytes of high bit
// pairs, 8 bytes of 4-bit scales per 16. w = d * (0.5 + scale) / 4 * (+-codebook value).
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq2_s) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 82;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block);
    for (int g = 0; g < 2; ++g) {
      scales[g] = d * (0.5F + static_cast<float>(block[74 + within] >> (4 * g) & 15)) * 0.25F;
    }
    for (int i = 0; i < 4; ++i, codes += 8) {
      const int index = block[2 + 4 * within + i] | (block[66 + within] >> (2 * i) & 3) << 8;
      apply_signs<8>(kGridIq2S[index], block[34 + 4 * within + i], codes);
    }
  }
}

}  // namespace harness
