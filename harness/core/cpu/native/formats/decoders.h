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
HARNESS_DECODER(decode_q5_0);
HARNESS_DECODER(decode_q5_1);
HARNESS_DECODER(decode_q3_k);
HARNESS_DECODER(decode_iq1_s);
HARNESS_DECODER(decode_iq1_m);
HARNESS_DECODER(decode_iq2_xs);
HARNESS_DECODER(decode_iq2_s);
HARNESS_DECODER(decode_iq3_xxs);
HARNESS_DECODER(decode_iq3_s);
HARNESS_DECODER(decode_iq4_nl);
HARNESS_DECODER(decode_iq4_xs);
HARNESS_DECODER(decode_iq2_k);
HARNESS_DECODER(decode_iq2_ks);
HARNESS_DECODER(decode_iq3_k);
HARNESS_DECODER(decode_iq4_ks);
HARNESS_DECODER(decode_iq4_kss);
HARNESS_DECODER(decode_iq5_k);

}  // namespace harness
