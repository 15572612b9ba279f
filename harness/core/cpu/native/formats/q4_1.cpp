// Q4_1: 32 weights in 20 bytes: float16 d and m, 16 bytes of nibbles. w = d * nibble + m.
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/legacy.h"

namespace harness {

HARNESS_DECODER(decode_q4_1) {
  row += first_block * 20;
  for (std::int64_t b = 0; b < n_blocks; ++b, row += 20, codes += 32) {
    scales[b] = load_half(row);
    minimums[b] = -load_half(row + 2);
    unpack_nibbles(row + 4, 0, codes);
  }
}

}  // namespace harness
