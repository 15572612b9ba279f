#include "ops/up_gate.h"

#include <numeric>
#include <stdexcept>

namespace harness {

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

}  // namespace harness
