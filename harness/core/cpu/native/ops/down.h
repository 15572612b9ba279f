// The second half of a feed-forward part: products with down, weighted and summed over a token's experts.
#pragma once
#include <cstdint>

#include "ops/act.h"

namespace harness {

/// y = x + the sum over slots of weight * (down act + bias)
class Down {
 public:
  Down(Workspace& workspace, Weight down, const Weight& bias, const FeedForwardParams& params, std::int64_t y_columns);

  bool quantised() const { return down_->format().quantised(); }
  void run(Worker& worker, const Act& act, const Range& range, const Routing& routing, const Value& x,
           const Value& y) const;

 private:
  void pack(Worker& worker, const Act& act, std::int64_t n_pairs, const Routing& routing) const;
  void multiply(Worker& worker, const Activations& inputs, const Routing& routing) const;
  void one_token(Worker& worker, const Activations& inputs, const Routing& routing, const float* x, float* y) const;
  std::int64_t run_in_turn() const;
  std::int64_t runs() const;
  const float* bias(std::int32_t expert, std::int64_t row) const { return bias_.at(expert * columns_ + row); }

  Workspace& workspace_;
  Weight down_;
  Floats bias_;
  FeedForwardParams params_;
  std::int64_t columns_;
};

}  // namespace harness
