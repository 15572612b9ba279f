// IQ4_KS (ik_llama.cpp): a row begins with float32 d; 256 weights in 136 bytes: 8 bytes of scale and table bit per 32,
// then nibbles. w = d * ((byte & 254) - 127) * table[nibble].
#include "formats/decoders.h"
#include "formats/half.h"
#include "formats/value_tables.h"

namespace harness {

HARNESS_DECODER(decode_iq4_ks) {
  (void)minimums;
  constexpr int kHeader = 4;
  const float d = load_float(row);
  for (std::int64_t b = 0; b < n_blocks; ++b, codes += 32) {
    const std::uint8_t* block = row + kHeader + (first_block + b) / 8 * 136;
    const int within = static_cast<int>((first_block + b) % 8);
    const int packed = block[within];
    scales[b] = d * static_cast<float>((packed & 254) - 127);
    look_up_nibbles(block + 8 + 16 * within, (packed & 1) * kIq4Shift, codes);
  }
}

}  // namespace harness
