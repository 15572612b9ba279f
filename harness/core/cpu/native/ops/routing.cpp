#include "ops/routing.h"

#include <algorithm>
#include <stdexcept>

namespace harness {

void Routing::sort(std::int64_t n_tokens, int n_expert, std::vector<std::int64_t>& scratch) {
  const std::int64_t n_pairs = n_tokens * top_k;
  scratch.assign(static_cast<std::size_t>(n_expert), 0);
  for (std::int64_t pair = 0; pair < n_pairs; ++pair)
    ++scratch[static_cast<std::size_t>(experts[static_cast<std::size_t>(pair)])];
  used.clear();
  std::int64_t place = 0;
  for (std::int32_t expert = 0; expert < n_expert; ++expert) {
    std::int64_t& count = scratch[static_cast<std::size_t>(expert)];
    if (count > 0) used.push_back({expert, place, count});
    place += count;
    count = place - count;  // from here on, the expert's next free place
  }
  for (std::int64_t pair = 0; pair < n_pairs; ++pair) {
    const auto to =
        static_cast<std::size_t>(scratch[static_cast<std::size_t>(experts[static_cast<std::size_t>(pair)])]++);
    pairs[to] = static_cast<std::int32_t>(pair);
    tokens[to] = static_cast<std::int32_t>(pair / top_k);
  }
}

Route::Route(Workspace& workspace, Weight router, const Weight& bias, const RouteParams& params, std::int64_t* counts,
             Value h, Routing& routing)
    : workspace_(workspace),
      router_(std::move(router)),
      bias_("router_bias", bias, params.n_expert),
      params_(params),
      counts_(counts),
      inputs_(workspace, Workspace::kTiles, workspace.ubatch(), {router_.get()}),
      h_(h),
      routing_(routing) {
  expect("router", *router_, 1, params.n_expert, h.columns);
  if (params.top_k < 1 || params.top_k > params.n_expert) throw std::invalid_argument("top_k is out of range");
  const auto n_pairs = static_cast<std::size_t>(workspace.ubatch() * params.top_k);
  routing.top_k = params.top_k;
  routing.experts.resize(n_pairs);
  routing.weights.resize(n_pairs);
  routing.pairs.resize(n_pairs);
  routing.tokens.resize(n_pairs);
  routing.used.reserve(static_cast<std::size_t>(params.n_expert));
  scratch_.reserve(static_cast<std::size_t>(params.n_expert));
  workspace.reserve(Workspace::kProducts, workspace.ubatch() * params.n_expert * 4);
  workspace.reserve_local(params.n_expert * 4);
}

void Route::run(Worker& worker, const Step&, const Range& range) {
  const FloatRows h{h_.row(range.first), h_.columns};
  const TileSplit split = tiles_for(workspace_, range.count);
  inputs_.prepare(worker, h, split);
  const Units units(workspace_, *router_, {0, split});
  auto* logits = reinterpret_cast<float*>(workspace_.region(Workspace::kProducts));
  multiply_all(workspace_, worker, *router_, units, inputs_.of(*router_, h),
               [&](std::int64_t row, int rows, std::int64_t first, std::int64_t tokens, const float* sums) {
                 const float* bias = bias_.at(row);
                 for (std::int64_t t = 0; t < tokens; ++t) {
                   float* out = logits + (first + t) * params_.n_expert + row;
                   for (int r = 0; r < rows; ++r) out[r] = sums[t * kRows + r] + (bias == nullptr ? 0.0F : bias[r]);
                 }
               });
  worker.for_each(range.count, [&](std::int64_t token) {
    const auto at = static_cast<std::size_t>(token * params_.top_k);
    choose(logits + token * params_.n_expert, reinterpret_cast<float*>(workspace_.local(worker)),
           routing_.experts.data() + at, routing_.weights.data() + at);
  });
  worker.once([&] {
    routing_.sort(range.count, params_.n_expert, scratch_);
    for (const ExpertPairs& used : routing_.used) counts_[used.expert] += used.count;
  });
}

/// Slots in descending order of logit; a stable selection, so equal ones go to the lower expert.
void Route::choose(float* logits, float* scratch, std::int32_t* experts, float* weights) const {
  int n = 0;
  for (std::int32_t expert = 0; expert < params_.n_expert; ++expert) {
    if (n == params_.top_k && !(logits[expert] > logits[experts[n - 1]])) continue;
    int slot = n < params_.top_k ? n++ : n - 1;
    for (; slot > 0 && logits[expert] > logits[experts[slot - 1]]; --slot) experts[slot] = experts[slot - 1];
    experts[slot] = expert;
  }
  gate(logits, scratch, experts, weights);
}

void Route::gate(const float* logits, float* scratch, const std::int32_t* experts, float* weights) const {
  const Kernels& kernels = workspace_.kernels();
  const int top_k = params_.top_k;
  if (params_.gating == Gating::softmax) {
    std::copy(logits, logits + params_.n_expert, scratch);
    kernels.softmax(scratch, params_.n_expert);
    for (int slot = 0; slot < top_k; ++slot) weights[slot] = scratch[experts[slot]];
  } else {
    for (int slot = 0; slot < top_k; ++slot) weights[slot] = logits[experts[slot]];
    if (params_.gating == Gating::sigmoid) kernels.sigmoid(weights, top_k);
    if (params_.gating == Gating::softmax_topk) kernels.softmax(weights, top_k);
  }
  if (params_.renorm) {
    float sum = 0.0F;
    for (int slot = 0; slot < top_k; ++slot) sum += weights[slot];
    for (int slot = 0; slot < top_k; ++slot) weights[slot] /= sum;
  }
  for (int slot = 0; slot < top_k; ++slot) weights[slot] *= params_.weight_scale;
}

}  // namespace harness
