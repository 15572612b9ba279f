// IQ4_XS: 256 weights in 136 bytes: float16 d, 2 + 4 bytes of 6-bit scales per 32, 128 bytes of nibbles into a table.
// w = d * (scale - 32) * value.
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq4_xs) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 136;
    const int within = static_cast<int>((first_block + b) % 8);
    const int low = block[4 + within / 2] >> (4 * (within % 2)) & 15;
    const int high = load_u16(block + 2) >> (2 * within) & 3;
    scales[b] = load_half(block) * static_cast<float>((low | high << 4) - 32);
    look_up_nibbles(block + 8 + 16 * within, 0, codes);
  }
}

}  // namespace harness
