// The first half of a feed-forward part: products with gate and up, and the activation.
#pragma once
#include <cstdint>

#include "ops/act.h"
#include "ops/expert_units.h"

namespace harness {

/// Gate and up in one weight of two halves (then `up` is empty), or in two.
struct GateUp {
  Weight gate;
  Weight up;
  Weight gate_bias;
  Weight up_bias;
};

/// Blocks first .. last of 32 columns of what gate and up give.
struct BlockSpan {
  std::int64_t first;
  std::int64_t last;
};

/// act = activation(gate h + bias, up h + bias) for every pair of a routing.
class UpGate {
 public:
  UpGate(Workspace& workspace, const GateUp& weights, const FeedForwardParams& params, std::int64_t h_columns);

  void run(Worker& worker, const Value& h, const Range& range, const Routing& routing, const Act& act) const;

 private:
  /// One ubatch: `h` from the range's first token on, its routing, and where results go.
  struct Batch {
    FloatRows h;
    std::int64_t tokens;
    const Routing& routing;
    const Act& act;
  };

  /// Some columns of gate and up for some of an expert's tokens, which count from its first.
  struct FusedUnit {
    const ExpertPairs& pairs;
    BlockSpan blocks;
    TokenRange tokens;
  };

  std::int64_t run_in_turn() const;
  std::int64_t first_of_up() const;
  void ask_for_first_of(const Worker& worker, const Routing& routing) const;
  void quantise(Worker& worker, const Batch& batch) const;
  void pack(Worker& worker, const Batch& batch, const ExpertSpan& experts) const;
  void fused(Worker& worker, const Batch& batch, const ExpertSpan& experts) const;
  void separate(Worker& worker, const Batch& batch, const ExpertSpan& experts) const;
  void multiply(Worker& worker, const Batch& batch, const ExpertSpan& experts, const Matrix& matrix,
                std::int64_t column) const;
  std::int64_t groups_of(const BlockSpan& blocks) const;
  void multiply_fused(const Worker& worker, const Batch& batch, const FusedUnit& unit) const;
  void activate_fused(const Worker& worker, const Batch& batch, const FusedUnit& unit) const;
  void activate(const Batch& batch, std::int32_t expert, std::int64_t block, std::int64_t place,
                GatedBlock gated) const;
  Activations inputs(const Matrix& matrix, const Batch& batch) const;
  const Matrix& up() const { return up_ ? *up_ : *gate_; }

  Workspace& workspace_;
  Weight gate_;
  Weight up_;  // empty: merged
  Floats gate_bias_;
  Floats up_bias_;
  FeedForwardParams params_;
  std::int64_t columns_;
};

}  // namespace harness
