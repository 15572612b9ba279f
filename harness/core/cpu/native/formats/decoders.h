// One decoder per quantised format, each in the file of its name.
#pragma once
#include <cstdint>

namespace harness {

#define HARNESS_DECODER(name)                                                                             \
  void name(const std::uint8_t* row, std::int64_t first_block, std::int64_t n_blocks, std::int8_t* codes, \
            float* scales, float* minimums)

HARNESS_DECODER(decode_q4_0);
HARNESS_DECODER(decode_q4_1);
HARNESS_DECODER(decode_q8_0);
HARNESS_DECODER(decode_q2_k);
HARNESS_DECODER(decode_q4_k);
HARNESS_DECODER(decode_q5_k);
HARNESS_DECODER(decode_q6_k);
HARNESS_DECODER(decode_iq2_xxs);
HARNESS_DECODER(decode_mxfp4);
HARNESS_DECODER(decode_iq4_k);

}  // namespace harness
