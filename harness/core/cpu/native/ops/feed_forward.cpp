#include "ops/feed_forward.h"

#include <numeric>
#include <stdexcept>

namespace harness {

Routing to_one_expert(std::int64_t ubatch) {
  Routing everyone;
  const auto n = static_cast<std::size_t>(ubatch);
  everyone.experts.assign(n, 0);
  everyone.weights.assign(n, 1.0F);
  everyone.pairs.resize(n);
  std::iota(everyone.pairs.begin(), everyone.pairs.end(), 0);
  everyone.tokens = everyone.pairs;
  everyone.used.push_back({0, 0, 0});
  return everyone;
}

MoeUpGate::MoeUpGate(Workspace& workspace, const GateUp& weights, const FeedForwardParams& params, Value h,
                     const Routing& routing, Act& act)
    : up_gate_(workspace, weights, params, h.columns), h_(h), routing_(routing), act_(act) {}

void MoeUpGate::run(Worker& worker, const Step&, const Range& range) {
  up_gate_.run(worker, h_, range, routing_, act_);
}

MoeDown::MoeDown(Workspace& workspace, Weight down, const Weight& bias, const FeedForwardParams& params, Act& act,
                 const Routing& routing, Value x, Value y)
    : down_(workspace, std::move(down), bias, params, y.columns), act_(act), routing_(routing), x_(x), y_(y) {
  act.quantised = down_.quantised();
}

void MoeDown::run(Worker& worker, const Step&, const Range& range) { down_.run(worker, act_, range, routing_, x_, y_); }

FfnUpGate::FfnUpGate(Workspace& workspace, const GateUp& weights, const FeedForwardParams& params, Value h, Value y)
    : up_gate_(workspace, weights, params, h.columns), everyone_(to_one_expert(workspace.ubatch())), h_(h), y_(y) {
  if (y.columns != params.n_ff) throw std::invalid_argument("the activations are not as wide as gate and up are high");
}

void FfnUpGate::run(Worker& worker, const Step&, const Range& range) {
  worker.once([&] { everyone_.used[0].count = range.count; });
  const Act act{reinterpret_cast<std::uint8_t*>(y_.row(range.first)), false};
  up_gate_.run(worker, h_, range, everyone_, act);
}

Ffn::Ffn(Workspace& workspace, const GateUp& weights, Weight down, const FeedForwardParams& params, Value h, Value x,
         Value y)
    : workspace_(workspace),
      up_gate_(workspace, weights, params, h.columns),
      down_(workspace, std::move(down), {}, params, y.columns),
      everyone_(to_one_expert(workspace.ubatch())),
      h_(h),
      x_(x),
      y_(y) {
  workspace.reserve(Workspace::kActs, Act::bytes(workspace.ubatch(), params.n_ff));
}

void Ffn::run(Worker& worker, const Step&, const Range& range) {
  worker.once([&] { everyone_.used[0].count = range.count; });
  const Act act{workspace_.region(Workspace::kActs), down_.quantised()};
  up_gate_.run(worker, h_, range, everyone_, act);
  down_.run(worker, act, range, everyone_, x_, y_);
}

}  // namespace harness
