#include "ops/down.h"

#include <numeric>
#include <stdexcept>

#include "ops/expert_units.h"

namespace harness {
namespace {

constexpr int kMostSlots = 256;

}  // namespace

Down::Down(Workspace& workspace, Weight down, const Weight& bias, const FeedForwardParams& params,
           std::int64_t y_columns)
    : workspace_(workspace),
      down_(std::move(down)),
      bias_("down_bias", bias, params.n_expert * y_columns),
      params_(params),
      columns_(y_columns) {
  expect("down", *down_, params.n_expert, y_columns, params.n_ff);
  if (params.top_k > kMostSlots) throw std::invalid_argument("more experts per token than this core can take");
  const std::int64_t pairs = workspace.ubatch() * params.top_k;
  if (quantised()) workspace.reserve(Workspace::kTiles, Tiles::bytes(pairs, params.n_ff));
  workspace.reserve(Workspace::kProducts, pairs * y_columns * 4);
}

void Down::run(Worker& worker, const Act& act, const Range& range, const Routing& routing, const Value& x,
               const Value& y) const {
  if (range.count == 1) ask_for_first(*down_, routing.used.front().expert, run_in_turn() * worker.first_of(runs()));
  pack(worker, act, range.count * params_.top_k, routing);
  const Activations inputs{{workspace_.region(Workspace::kTiles), params_.n_ff / kBlock},
                           {act.floats(), params_.n_ff, nullptr}};
  const float* residual = x.data == nullptr ? nullptr : x.row(range.first);
  if (range.count == 1) return one_token(worker, inputs, routing, residual, y.row(range.first));
  multiply(worker, inputs, routing);
  const auto* products = reinterpret_cast<const float*>(workspace_.region(Workspace::kProducts));
  worker.for_each(range.count, [&](std::int64_t token) {
    workspace_.kernels().combine(products + token * params_.top_k * columns_, columns_,
                                 routing.weights.data() + token * params_.top_k, params_.top_k,
                                 residual == nullptr ? nullptr : residual + token * columns_, columns_,
                                 y.row(range.first + token));
  });
}

void Down::pack(Worker& worker, const Act& act, std::int64_t n_pairs, const Routing& routing) const {
  if (!quantised()) return;
  const auto rows = act.rows(n_pairs, params_.n_ff);
  const Tiles tiles{workspace_.region(Workspace::kTiles), params_.n_ff / kBlock};
  const Packing packing = down_->packing();
  const UnitMap units({0, routing.used.size()},
                      [&](std::size_t i) { return tiles_for(workspace_, routing.used[i].count).count; });
  worker.for_each(units.count(), [&](std::int64_t unit) {
    const auto found = units.find(unit);
    const TileSplit split = tiles_for(workspace_, routing.used[found.expert].count);
    const std::int64_t place = routing.used[found.expert].first + split.first(found.unit);
    const int n = split.size(found.unit);
    const std::int8_t* codes[kMaxTileTokens];
    const float* scales[kMaxTileTokens];
    for (int t = 0; t < n; ++t) {
      codes[t] = rows.codes_of(place + t);
      scales[t] = rows.scales_of(place + t);
    }
    workspace_.kernels().pack(packing, codes, scales, params_.n_ff / kBlock, tiles.at(place, n));
  });
}

/// Products of all pairs, with bias, into scratch [token][slot][columns].
void Down::multiply(Worker& worker, const Activations& inputs, const Routing& routing) const {
  auto* products = reinterpret_cast<float*>(workspace_.region(Workspace::kProducts));
  multiply_experts(workspace_, worker, *down_, routing, {0, routing.used.size()}, false, inputs,
                   [&](const ExpertPairs& pairs, std::int64_t row, int rows, std::int64_t first, std::int64_t tokens,
                       const float* sums) {
                     const float* add = bias(pairs.expert, row);
                     for (std::int64_t t = 0; t < tokens; ++t) {
                       const auto place = static_cast<std::size_t>(pairs.first + first + t);
                       float* out = products + routing.pairs[place] * columns_ + row;
                       for (int r = 0; r < rows; ++r) out[r] = sums[t * kRows + r] + (add == nullptr ? 0.0F : add[r]);
                     }
                   });
}

/// Groups of each of a token's experts that a worker takes in turn.
std::int64_t Down::run_in_turn() const {
  return std::min(groups_in_a_run(workspace_, *down_), Workspace::kMostSums / params_.top_k);
}

std::int64_t Down::runs() const { return divided_up(down_->groups(), run_in_turn()); }

/// One token: its slots are summed where they are multiplied.
void Down::one_token(Worker& worker, const Activations& inputs, const Routing& routing, const float* x,
                     float* y) const {
  const std::int64_t groups = down_->groups();
  const std::int64_t at_once = run_in_turn();
  const std::int64_t wide = at_once * kRows;
  const auto rows_of = [&](std::int64_t unit) {
    const std::int64_t row = down_->group(unit * at_once).first;
    return std::pair{row, std::min(wide, columns_ - row)};
  };
  const auto make = [&](std::int64_t unit) {
    const std::int64_t first = unit * at_once;
    const std::int64_t n = std::min(at_once, groups - first);
    std::int64_t run[Workspace::kMaxRun];
    std::iota(run, run + n, first);
    const auto [row, rows] = rows_of(unit);
    float* sums = workspace_.sums(worker);
    for (std::size_t i = 0; i < routing.used.size(); ++i) {
      const ExpertPairs& used = routing.used[i];
      const bool last = i + 1 == routing.used.size();  // then the next unit's rows of the first follow
      const std::uint8_t* after = last ? down_->stream(routing.used.front().expert, first + at_once)
                                       : down_->stream(routing.used[i + 1].expert, first);
      float* out = sums + routing.pairs[static_cast<std::size_t>(used.first)] * wide;
      workspace_.multiply(worker, *down_, used.expert, {run, static_cast<std::size_t>(n)}, inputs, {used.first, {1, 1}},
                          out, after);
      if (const float* add = bias(used.expert, row); add != nullptr) {
        for (std::int64_t r = 0; r < rows; ++r) out[r] += add[r];
      }
    }
  };
  worker.for_each(runs(), make, [&](std::int64_t unit) {
    const auto [row, rows] = rows_of(unit);
    workspace_.kernels().combine(workspace_.sums(worker), wide, routing.weights.data(), params_.top_k,
                                 x == nullptr ? nullptr : x + row, rows, y + row);
  });
}

}  // namespace harness
