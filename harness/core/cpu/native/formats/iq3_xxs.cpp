// IQ3_XXS: 256 weights in 98 bytes: float16 d, 64 codebook indices of 4 weights each, then per 32 weights a word of
// four 7-bit sign indices and a 4-bit scale. w = d * (0.5 + scale) / 2 * (+-codebook value).
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq3_xxs) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 98;
    const int within = static_cast<int>((first_block + b) % 8);
    const std::uint32_t word = load_u32(block + 66 + 4 * within);
    scales[b] = load_half(block) * (0.5F + static_cast<float>(word >> 28)) * 0.5F;
    for (int i = 0; i < 8; ++i, codes += 4) {
      const unsigned signs = sign_bits(word >> (7 * (i / 2)) & 127U);
      apply_signs<4>(kGridIq3Xxs[block[2 + 8 * within + i]], signs >> (4 * (i % 2)), codes);
    }
  }
}

}  // namespace harness
