// Q5_0: 32 weights in 22 bytes: float16 d, 32 high bits, 16 bytes of nibbles (low ones first). w = d * (code - 16).
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/legacy.h"

namespace harness {

HARNESS_DECODER(decode_q5_0) {
  (void)minimums;
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + (first_block + b) * 22;
    scales[b] = load_half(block);
    unpack_five_bits(block + 6, load_u32(block + 2), 16, codes);
  }
}

}  // namespace harness
