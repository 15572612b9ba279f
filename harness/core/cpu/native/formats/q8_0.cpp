// Q8_0: 32 weights in 34 bytes: float16 d, 32 int8. w = d * code.
#include <cstring>

#include "formats/decoders.h"
#include "formats/half.h"

namespace harness {

HARNESS_DECODER(decode_q8_0) {
  (void)minimums;
  row += first_block * 34;
  for (std::int64_t b = 0; b < n_blocks; ++b, row += 34, codes += 32) {
    scales[b] = load_half(row);
    std::memcpy(codes, row + 2, 32);
  }
}

}  // namespace harness
