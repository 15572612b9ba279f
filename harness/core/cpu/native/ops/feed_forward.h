// Gated feed-forward parts, of experts and dense: activation(gate h, up h), then down.
//
// A dense part is one expert that every token goes to, so there is one implementation. Four ways to the same bits:
// gate and up in one weight or two (merged), activated where they are summed or in a pass of their own (fused); and
// experts all in one phase (grouped) or one after another (per_expert).
#pragma once
#include "ops/down.h"
#include "ops/up_gate.h"

namespace harness {

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
