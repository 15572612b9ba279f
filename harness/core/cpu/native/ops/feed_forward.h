// Gated feed-forward parts, of experts and dense: activation(gate h, up h), then down.
//
// A dense part is one expert that every token goes to, so there is one implementation. Four ways to the same bits:
// gate and up in one weight or two (merged), activated where they are summed or in a pass of their own (fused); and
// experts all in one phase (grouped) or one after another (per_expert).
#pragma once
#include <cstdint>
#include <vector>

#include "ops/routing.h"

namespace harness {

/// Gate and up in one weight of two halves (then `up` is empty), or in two.
struct GateUp {
  Weight gate;
  Weight up;
  Weight gate_bias;
  Weight up_bias;
};

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

/// Experts first .. last of those a routing uses.
struct ExpertSpan {
  std::size_t first;
  std::size_t last;
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

/// The activations of `pairs` pairs as floats [token * top_k + slot][n_ff].
void decode_act(const Act& act, const Routing& routing, std::int64_t pairs, std::int64_t n_ff, float* out);
/// The same backwards, for activations that another device made.
void encode_act(const Kernels& kernels, const float* floats, const Routing& routing, std::int64_t pairs,
                std::int64_t n_ff, const Act& act);
/// All tokens to one expert: how a dense part is a mixture. The count of `used[0]` is set when it runs.
Routing to_one_expert(std::int64_t ubatch);

class MoeUpGate final : public Op {
 public:
  MoeUpGate(Workspace& workspace, const GateUp& weights, const FeedForwardParams& params, Value h,
            const Routing& routing, Act& act);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  UpGate up_gate_;
  Value h_;
  const Routing& routing_;
  Act& act_;
};

class MoeDown final : public Op {
 public:
  MoeDown(Workspace& workspace, Weight down, const Weight& bias, const FeedForwardParams& params, Act& act,
          const Routing& routing, Value x, Value y);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  Down down_;
  const Act& act_;
  const Routing& routing_;
  Value x_;
  Value y_;
};

/// y = activation(gate h, up h) of a dense part whose down is multiplied elsewhere.
class FfnUpGate final : public Op {
 public:
  FfnUpGate(Workspace& workspace, const GateUp& weights, const FeedForwardParams& params, Value h, Value y);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  UpGate up_gate_;
  Routing everyone_;
  Value h_;
  Value y_;
};

class Ffn final : public Op {
 public:
  Ffn(Workspace& workspace, const GateUp& weights, Weight down, const FeedForwardParams& params, Value h, Value x,
      Value y);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  Workspace& workspace_;
  UpGate up_gate_;
  Down down_;
  Routing everyone_;
  Value h_;
  Value x_;
  Value y_;
};

}  // namespace harness
