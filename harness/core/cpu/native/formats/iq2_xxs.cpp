// IQ2_XXS: 256 weights in 66 bytes: float16 d, then per 32 weights four codebook indices and a word of four 7-bit
// sign indices and a 4-bit scale. w = d * (0.5 + scale) / 4 * (+-codebook value).
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq2_xxs) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 66;
    const std::uint8_t* indices = block + 2 + (first_block + b) % 8 * 8;
    const std::uint32_t word = load_u32(indices + 4);
    scales[b] = load_half(block) * (0.5F + static_cast<float>(word >> 28)) * 0.25F;
    for (int i = 0; i < 4; ++i, codes += 8) {
      apply_signs<8>(kGridIq2Xxs[indices[i]], sign_bits(word >> (7 * i) & 127U), codes);
    }
  }
}

}  // namespace harness
