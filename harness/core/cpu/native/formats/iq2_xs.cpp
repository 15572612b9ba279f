// IQ2_XS: 256 weights in 74 bytes: float16 d, 32 words of a 9-bit codebook index and a 7-bit sign index, 8 bytes of
// 4-bit scales per 16. w = d * (0.5 + scale) / 4 * (+-codebook value).
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq2_xs) {
  (void)minimums;
  for (std::int64_t b = first_block; b < first_block + n_blocks; ++b, scales += 2) {
    const std::uint8_t* block = row + b / 8 * 74;
    const int within = static_cast<int>(b % 8);
    const float d = load_half(block);
    for (int g = 0; g < 2; ++g) {
      scales[g] = d * (0.5F + static_cast<float>(block[66 + within] >> (4 * g) & 15)) * 0.25F;
    }
    for (int i = 0; i < 4; ++i, codes += 8) {
      const unsigned word = load_u16(block + 2 + 8 * within + 2 * i);
      apply_signs<8>(kGridIq2Xs[word & 511U], sign_bits(word >> 9), codes);
    }
  }
}

}  // namespace harness
