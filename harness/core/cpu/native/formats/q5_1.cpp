// Q5_1: 32 weights in 24 bytes: float16 d and m, 32 high bits, 16 bytes of nibbles (low ones first). w = d * code + m.
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/legacy.h"

namespace harness {

HARNESS_DECODER(decode_q5_1) {
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + (first_block + b) * 24;
    scales[b] = load_half(block);
    minimums[b] = -load_half(block + 2);
    unpack_five_bits(block + 8, load_u32(block + 4), 0, codes);
  }
}

}  // namespace harness
