// IQ4_NL: 32 weights in 18 bytes: float16 d, 16 bytes of nibbles (low ones first) into a table. w = d * value.
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq4_nl) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + (first_block + b) * 18;
    scales[b] = load_half(block);
    look_up_nibbles(block + 2, 0, codes);
  }
}

}  // namespace harness
