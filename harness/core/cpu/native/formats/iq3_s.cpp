// IQ3_S: 256 weights in 110 bytes: float16 d, 64 low bytes of codebook indices of 4 weights each, 8 bytes of high bits,
// 32 bytes of signs, 4 bytes of 4-bit scales per 32. w = d * (1 + 2 scale) * (+-codebook value).
#include "formats/decoders.h"
#include "formats/grids.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_iq3_s) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 110;
    const int within = static_cast<int>((first_block + b) % 8);
    const int scale = block[106 + within / 2] >> (4 * (within % 2)) & 15;
    scales[b] = load_half(block) * static_cast<float>(1 + 2 * scale);
    for (int i = 0; i < 8; ++i, codes += 4) {
      const int index = block[2 + 8 * within + i] | (block[66 + within] >> i & 1) << 8;
      const unsigned signs = block[74 + 4 * within + i / 2];
      apply_signs<4>(kGridIq3S[index], signs >> (4 * (i % 2)), codes);
    }
  }
}

}  // namespace harness
