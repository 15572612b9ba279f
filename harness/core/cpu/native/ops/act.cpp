#include "ops/act.h"

#include <algorithm>

namespace harness {

void decode_act(const Act& act, const Routing& routing, std::int64_t pairs, std::int64_t n_ff, float* out) {
  const auto rows = act.rows(pairs, n_ff);
  for (std::int64_t place = 0; place < pairs; ++place) {
    float* to = out + routing.pairs[static_cast<std::size_t>(place)] * n_ff;
    for (std::int64_t i = 0; i < n_ff; ++i) {
      to[i] = act.quantised ? rows.scales_of(place)[i / kBlock] * static_cast<float>(rows.codes_of(place)[i])
                            : act.floats()[place * n_ff + i];
    }
  }
}

void encode_act(const Kernels& kernels, const float* floats, const Routing& routing, std::int64_t pairs,
                std::int64_t n_ff, const Act& act) {
  const auto rows = act.rows(pairs, n_ff);
  for (std::int64_t place = 0; place < pairs; ++place) {
    const float* from = floats + routing.pairs[static_cast<std::size_t>(place)] * n_ff;
    if (act.quantised) {
      kernels.quantise(from, n_ff, rows.codes_of(place), rows.scales_of(place));
    } else {
      std::copy(from, from + n_ff, act.floats() + place * n_ff);
    }
  }
}

}  // namespace harness
