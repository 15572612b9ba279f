#include "ops/feed_forward.h"

#include <functional>
#include <numeric>
#include <stdexcept>

namespace harness {
namespace {

constexpr int kMostSlots = 256;

std::int64_t divided_up(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }

/// Numbers units of work through over several experts, each with its own count.
class UnitMap {
 public:
  template <class CountOf>
  UnitMap(const ExpertSpan& experts, CountOf count_of) : first_(experts.first) {
    std::int64_t end = 0;
    for (std::size_t i = experts.first; i < experts.last; ++i) ends_.push_back(end += count_of(i));
  }

  std::int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }

  struct Found {
    std::size_t expert;  // its place among the used ones
    std::int64_t unit;   // within the expert
  };
  Found find(std::int64_t unit) const {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), unit);
    const auto index = static_cast<std::size_t>(end - ends_.begin());
    return {first_ + index, unit - (index == 0 ? 0 : ends_[index - 1])};
  }

 private:
  std::size_t first_;
  std::vector<std::int64_t> ends_;
};

/// Where an expert's pairs lie among packed activations: at their places, or all at the only token there is.
TokenRange inputs_of(const Workspace& workspace, const ExpertPairs& pairs, bool one_token) {
  return {one_token ? 0 : pairs.first, tiles_for(workspace, pairs.count)};
}

/// `matrix` with the tokens of each of `experts`; sink(pairs, ...) as of hand_over(), for all of one expert.
template <class Sink>
void multiply_experts(const Workspace& workspace, Worker& worker, const Matrix& matrix, const Routing& routing,
                      const ExpertSpan& experts, bool one_token, const Activations& activations, Sink&& sink) {
  const auto units_of = [&](std::size_t used) {
    return Units(workspace, matrix, inputs_of(workspace, routing.used[used], one_token));
  };
  const UnitMap map(experts, [&](std::size_t used) { return units_of(used).count(); });
  worker.for_each(
      map.count(),
      [&](std::int64_t unit) {
        const auto [used, within] = map.find(unit);
        multiply_unit(workspace, worker, matrix, routing.used[used].expert, units_of(used), within, activations);
      },
      [&](std::int64_t unit) {
        const auto [used, within] = map.find(unit);
        const auto of_expert = std::bind_front(sink, std::cref(routing.used[used]));
        hand_over(workspace, worker, matrix, units_of(used), within, of_expert);
      });
}

}  // namespace

UpGate::UpGate(Workspace& workspace, const GateUp& weights, const FeedForwardParams& params, std::int64_t h_columns)
    : workspace_(workspace), gate_(weights.gate), up_(weights.up), params_(params), columns_(h_columns) {
  const std::int64_t n_biases = params.n_expert * params.n_ff;
  if (up_) {
    expect("gate", *gate_, params.n_expert, params.n_ff, h_columns);
    expect("up", *up_, params.n_expert, params.n_ff, h_columns);
    gate_bias_ = Floats("gate_bias", weights.gate_bias, n_biases);
    up_bias_ = Floats("up_bias", weights.up_bias, n_biases);
  } else {
    expect("gate_up", *gate_, params.n_expert, 2 * params.n_ff, h_columns);
    if (gate_->halves() != 2) throw std::invalid_argument("gate_up was not placed as two halves");
    gate_bias_ = Floats("gate_up_bias", weights.gate_bias, 2 * n_biases);
  }
  const std::int64_t pairs = workspace.ubatch() * params.top_k;
  workspace.reserve(Workspace::kTiles, Tiles::bytes(pairs, h_columns));
  workspace.reserve(Workspace::kMoreTiles, Tiles::bytes(pairs, h_columns));
  workspace.reserve(Workspace::kQuantised, QuantisedRows::bytes(workspace.ubatch(), h_columns));
  if (!params.fused) workspace.reserve(Workspace::kProducts, pairs * 2 * params.n_ff * 4);
}

void UpGate::run(Worker& worker, const Value& h, const Range& range, const Routing& routing, const Act& act) const {
  const Batch batch{{h.row(range.first), h.columns}, range.count, routing, act};
  if (range.count == 1 && params_.fused && !params_.per_expert) ask_for_first_of(worker, routing);
  quantise(worker, batch);
  const std::size_t n_used = routing.used.size();
  const std::size_t at_once = params_.per_expert ? 1 : n_used;
  for (std::size_t first = 0; first < n_used; first += at_once) {
    const ExpertSpan experts{first, std::min(first + at_once, n_used)};
    pack(worker, batch, experts);
    if (params_.fused) {
      fused(worker, batch, experts);
    } else {
      separate(worker, batch, experts);
    }
  }
}

void UpGate::quantise(Worker& worker, const Batch& batch) const {
  if (!gate_->format().quantised() && !up().format().quantised()) return;
  const auto rows = QuantisedRows::in(workspace_.region(Workspace::kQuantised), batch.tokens, columns_);
  worker.for_each(batch.tokens, [&](std::int64_t token) {
    workspace_.kernels().quantise(batch.h.of(token), columns_, rows.codes_of(token), rows.scales_of(token));
  });
}

/// Packs the experts' tokens into tiles, once for each of the packings that gate and up need.
void UpGate::pack(Worker& worker, const Batch& batch, const ExpertSpan& experts) const {
  const auto rows = QuantisedRows::in(workspace_.region(Workspace::kQuantised), batch.tokens, columns_);
  const bool one_token = batch.tokens == 1;
  const ExpertSpan packed = one_token ? ExpertSpan{experts.first, experts.first + 1} : experts;
  const UnitMap units(
      packed, [&](std::size_t i) { return inputs_of(workspace_, batch.routing.used[i], one_token).split.count; });
  const auto pack_for = [&](const Matrix& matrix) {
    if (!matrix.format().quantised()) return;
    const Packing packing = matrix.packing();
    const Tiles tiles = inputs(matrix, batch).tiles;
    worker.for_each(units.count(), [&](std::int64_t unit) {
      const auto found = units.find(unit);
      const TokenRange range = inputs_of(workspace_, batch.routing.used[found.expert], one_token);
      const std::int64_t place = range.first + range.split.first(found.unit);
      const int n = range.split.size(found.unit);
      const std::int8_t* codes[kMaxTileTokens];
      const float* scales[kMaxTileTokens];
      for (int t = 0; t < n; ++t) {
        const std::int64_t token = one_token ? 0 : batch.routing.tokens[static_cast<std::size_t>(place + t)];
        codes[t] = rows.codes_of(token);
        scales[t] = rows.scales_of(token);
      }
      workspace_.kernels().pack(packing, codes, scales, columns_ / kBlock, tiles.at(place, n));
    });
  };
  pack_for(*gate_);
  if (up().packing() != gate_->packing()) pack_for(up());
}

Activations UpGate::inputs(const Matrix& matrix, const Batch& batch) const {
  const bool one_token = batch.tokens == 1;
  const bool like_gate = matrix.packing() == gate_->packing();
  const auto region = like_gate ? Workspace::kTiles : Workspace::kMoreTiles;
  return {{workspace_.region(region), columns_ / kBlock},
          {batch.h.data, batch.h.stride, one_token ? nullptr : batch.routing.tokens.data()}};
}

/// Blocks of 32 columns of one token's gate, and then of its up, that a worker takes in turn.
std::int64_t UpGate::run_in_turn() const { return groups_in_a_run(workspace_, *gate_) / 2; }

/// The first group of up, where its rows are behind gate's.
std::int64_t UpGate::first_of_up() const { return up_ ? 0 : gate_->groups_per_half(); }

/// Groups that hold these columns of gate, and as many of up.
std::int64_t UpGate::groups_of(const BlockSpan& blocks) const {
  return std::min(2 * (blocks.last - blocks.first), gate_->groups_per_half() - 2 * blocks.first);
}

void UpGate::ask_for_first_of(const Worker& worker, const Routing& routing) const {
  const std::int64_t runs = divided_up(divided_up(params_.n_ff, kBlock), run_in_turn());
  const std::int64_t unit = worker.first_of(runs * static_cast<std::int64_t>(routing.used.size()));
  const auto expert = static_cast<std::size_t>(unit / runs);
  if (expert >= routing.used.size()) return;
  ask_for_first(*gate_, routing.used[expert].expert, unit % runs * run_in_turn() * 2);
}

/// Units: an expert's blocks of 32 columns, by its tokens.
void UpGate::fused(Worker& worker, const Batch& batch, const ExpertSpan& experts) const {
  const bool one_token = batch.tokens == 1;
  const std::int64_t blocks = divided_up(params_.n_ff, kBlock);
  const std::int64_t blocks_at_once = one_token ? run_in_turn() : 1;
  const std::int64_t runs = divided_up(blocks, blocks_at_once);
  const std::int64_t tiles_at_once = Workspace::kTokensAtOnce / workspace_.kernels().tile_tokens;
  const UnitMap units(experts, [&](std::size_t i) {
    return runs * divided_up(tiles_for(workspace_, batch.routing.used[i].count).count, tiles_at_once);
  });
  const auto unit_of = [&](std::int64_t unit) {
    const auto found = units.find(unit);
    const ExpertPairs& pairs = batch.routing.used[found.expert];
    const TokenRange all = inputs_of(workspace_, pairs, one_token);
    const std::int64_t first = found.unit / runs * tiles_at_once;
    const TileSplit part = all.split.part(first, std::min(first + tiles_at_once, all.split.count));
    const std::int64_t block = found.unit % runs * blocks_at_once;
    return FusedUnit{pairs, {block, std::min(block + blocks_at_once, blocks)}, {all.split.first(first), part}};
  };
  worker.for_each(
      units.count(), [&](std::int64_t unit) { multiply_fused(worker, batch, unit_of(unit)); },
      [&](std::int64_t unit) { activate_fused(worker, batch, unit_of(unit)); });
}

/// Sums of gate and up, one behind the other, into the worker's.
void UpGate::multiply_fused(const Worker& worker, const Batch& batch, const FusedUnit& unit) const {
  const auto& [pairs, blocks, tokens] = unit;
  const std::int64_t group = 2 * blocks.first;
  const std::int64_t n = groups_of(blocks);
  const TokenRange range{inputs_of(workspace_, pairs, batch.tokens == 1).first + tokens.first, tokens.split};
  float* sums = workspace_.sums(worker);
  const auto multiply_groups = [&](const Matrix& matrix, std::int64_t first, float* out, const std::uint8_t* after) {
    std::int64_t groups[Workspace::kMaxRun];
    std::iota(groups, groups + n, first);
    workspace_.multiply(worker, matrix, pairs.expert, {groups, static_cast<std::size_t>(n)}, inputs(matrix, batch),
                        range, out, after);
  };
  multiply_groups(*gate_, group, sums, up().stream(pairs.expert, first_of_up() + group));
  multiply_groups(up(), first_of_up() + group, sums + n * tokens.split.tokens * kRows,
                  gate_->stream(pairs.expert, group + n));
}

/// Activates and stores what multiply_fused() made.
void UpGate::activate_fused(const Worker& worker, const Batch& batch, const FusedUnit& unit) const {
  const auto& [pairs, blocks, tokens] = unit;
  const float* sums = workspace_.sums(worker);
  const std::int64_t stride = tokens.split.tokens * kRows;
  GatedBlock gated{};
  gated.gate = sums;
  gated.up = sums + groups_of(blocks) * stride;
  gated.group_stride = stride;
  gated.token_stride = kRows;
  gated.tokens = tokens.split.tokens;
  for (std::int64_t block = blocks.first; block < blocks.last; ++block) {
    activate(batch, pairs.expert, block, pairs.first + tokens.first, gated);
    gated.gate += 2 * gated.group_stride;
    gated.up += 2 * gated.group_stride;
  }
}

/// Activates and stores block `block` of the pairs from `place` on; `gated` says where the sums are.
void UpGate::activate(const Batch& batch, std::int32_t expert, std::int64_t block, std::int64_t place,
                      GatedBlock gated) const {
  const std::int64_t n_ff = params_.n_ff;
  const std::int64_t column = block * kBlock;
  gated.columns = static_cast<int>(std::min<std::int64_t>(kBlock, n_ff - column));
  gated.activation = params_.activation;
  if (gate_bias_.data() != nullptr) {
    gated.gate_bias = gate_bias_.at(expert * (up_ ? 1 : 2) * n_ff + column);
    gated.up_bias = up_ ? up_bias_.at(expert * n_ff + column) : gated.gate_bias + n_ff;
  }
  gated.stride = n_ff;
  if (batch.act.quantised) {
    const auto rows = batch.act.rows(batch.tokens * params_.top_k, n_ff);
    gated.codes = rows.codes_of(place) + column;
    gated.scales = rows.scales_of(place) + block;
    gated.scale_stride = n_ff / kBlock;
  } else {
    gated.floats = batch.act.floats() + place * n_ff + column;
  }
  workspace_.kernels().gated(gated);
}

/// Products into scratch [place][gate, up], then a pass that activates.
void UpGate::separate(Worker& worker, const Batch& batch, const ExpertSpan& experts) const {
  multiply(worker, batch, experts, *gate_, 0);
  if (up_) multiply(worker, batch, experts, *up_, params_.n_ff);
  const UnitMap units(experts, [&](std::size_t i) { return batch.routing.used[i].count; });
  const auto* products = reinterpret_cast<const float*>(workspace_.region(Workspace::kProducts));
  worker.for_each(units.count(), [&](std::int64_t unit) {
    const auto found = units.find(unit);
    const ExpertPairs& pairs = batch.routing.used[found.expert];
    const std::int64_t place = pairs.first + found.unit;
    GatedBlock gated{};
    gated.group_stride = kRows;
    gated.tokens = 1;
    for (std::int64_t block = 0; block < divided_up(params_.n_ff, kBlock); ++block) {
      gated.gate = products + place * 2 * params_.n_ff + block * kBlock;
      gated.up = gated.gate + params_.n_ff;
      activate(batch, pairs.expert, block, place, gated);
    }
  });
}

void UpGate::multiply(Worker& worker, const Batch& batch, const ExpertSpan& experts, const Matrix& matrix,
                      std::int64_t column) const {
  auto* products = reinterpret_cast<float*>(workspace_.region(Workspace::kProducts));
  multiply_experts(workspace_, worker, matrix, batch.routing, experts, batch.tokens == 1, inputs(matrix, batch),
                   [&](const ExpertPairs& pairs, std::int64_t row, int rows, std::int64_t first, std::int64_t tokens,
                       const float* sums) {
                     float* out = products + (pairs.first + first) * 2 * params_.n_ff + column + row;
                     for (std::int64_t t = 0; t < tokens; ++t) {
                       std::copy(sums + t * kRows, sums + t * kRows + rows, out + t * 2 * params_.n_ff);
                     }
                   });
}

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
