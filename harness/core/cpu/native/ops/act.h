// What flows from gate and up to down, and what both sides of it are told.
#pragma once
#include <cstdint>

#include "ops/routing.h"

namespace harness {

struct FeedForwardParams {
  int n_expert;
  int top_k;
  std::int64_t n_ff;
  Activation activation;
  bool fused;
  bool per_expert;
};

/// What flows from gate and up to down, a (token, slot) pair a row, sorted by expert: quantised where down is.
struct Act {
  std::uint8_t* memory = nullptr;
  bool quantised = false;

  static std::int64_t bytes(std::int64_t pairs, std::int64_t n_ff) { return pairs * n_ff * 4; }
  QuantisedRows rows(std::int64_t pairs, std::int64_t n_ff) const { return QuantisedRows::in(memory, pairs, n_ff); }
  float* floats() const { return reinterpret_cast<float*>(memory); }
};

/// The activations of `pairs` pairs as floats [token * top_k + slot][n_ff].
void decode_act(const Act& act, const Routing& routing, std::int64_t pairs, std::int64_t n_ff, float* out);
/// The same backwards, for activations that another device made.
void encode_act(const Kernels& kernels, const float* floats, const Routing& routing, std::int64_t pairs,
                std::int64_t n_ff, const Act& act);

}  // namespace harness
