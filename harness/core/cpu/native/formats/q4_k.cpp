// Q4_K: 256 weights in 144 bytes: float16 d and dmin, 12 bytes of 6-bit scales and minimums, 128 bytes of nibbles.
// w = d * scale * nibble - dmin * minimum, per 32 weights.
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/k_scales.h"

namespace harness {

HARNESS_DECODER(decode_q4_k) {
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + (first_block + b) / 8 * 144;
    const int within = static_cast<int>((first_block + b) % 8);
    const ScaleAndMinimum packed_scale = k_scale(block + 4, within);
    scales[b] = load_half(block) * static_cast<float>(packed_scale.scale);
    minimums[b] = load_half(block + 2) * static_cast<float>(packed_scale.minimum);
    const std::uint8_t* packed = block + 16 + within / 2 * 32;
    const int shift = 4 * (within % 2);
    for (int i = 0; i < 32; ++i) codes[i] = static_cast<std::int8_t>(packed[i] >> shift & 15);
  }
}

}  // namespace harness
