// Q4_0: 32 weights in 18 bytes: float16 d, 16 bytes of nibbles. w = d * (nibble - 8).
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/legacy.h"

namespace harness {

HARNESS_DECODER(decode_q4_0) {
  (void)minimums;
  row += first_block * 18;
  for (std::int64_t b = 0; b < n_blocks; ++b, row += 18, codes += 32) {
    scales[b] = load_half(row);
    unpack_nibbles(row + 2, 8, codes);
  }
}

}  // namespace harness
