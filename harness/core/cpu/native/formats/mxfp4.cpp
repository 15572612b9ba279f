// MXFP4: 32 weights in 17 bytes: exponent byte e, 16 bytes of E2M1 nibbles. The codes are twice the E2M1 values,
// so w = 2^(e - 128) * code.
#include "formats/decoders.h"
#include "formats/half.h"

namespace harness {
namespace {

constexpr std::int8_t kTwiceE2M1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

float power_of_two(std::uint32_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1) << 23);  // the first two are subnormal
}

}  // namespace

HARNESS_DECODER(decode_mxfp4) {
  (void)minimums;
  row += first_block * 17;
  for (std::int64_t b = 0; b < n_blocks; ++b, row += 17, codes += 32) {
    scales[b] = power_of_two(row[0]);
    for (int i = 0; i < 16; ++i) {
      codes[i] = kTwiceE2M1[row[1 + i] & 15];
      codes[i + 16] = kTwiceE2M1[row[1 + i] >> 4];
    }
  }
}

}  // namespace harness
