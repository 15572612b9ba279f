#include "ops/product.h"

namespace harness {
namespace {

// A unit reads about this much of the weights when there is one token, so that taking it costs nothing beside it.
constexpr std::int64_t kUnitBytes = 48 * 1024;
constexpr std::int64_t kUnitsPerWorker = 8;
constexpr std::int64_t kRunBytes = 256 * 1024;
constexpr std::int64_t kFirstBytes = 8 * 1024;

/// Groups of at most `bytes`, if that leaves every worker enough to share.
std::int64_t groups_of(std::int64_t bytes, const Workspace& workspace, const Matrix& matrix) {
  return std::min(bytes / matrix.group_bytes(), matrix.groups() / (kUnitsPerWorker * workspace.threads()));
}

}  // namespace

void ask_for_first(const Matrix& matrix, std::int64_t expert, std::int64_t group) {
  if (matrix.store() == Store::none || group >= matrix.groups()) return;
  const std::uint8_t* begin = matrix.stream(expert, group);
  for (std::int64_t line = 0; line < kFirstBytes; line += 64) __builtin_prefetch(begin + line);
}

std::int64_t groups_in_a_run(const Workspace& workspace, const Matrix& matrix) {
  return std::clamp<std::int64_t>(groups_of(kRunBytes, workspace, matrix), 2, Workspace::kMaxRun);
}

Inputs::Inputs(Workspace& workspace, Workspace::Region region, std::int64_t tokens, std::vector<const Matrix*> weights)
    : workspace_(workspace), region_(region), tokens_(tokens), columns_(weights.front()->columns()) {
  for (const Matrix* weight : weights) {
    if (!weight->format().quantised()) continue;
    const Packing packing = weight->packing();
    if (std::find(packings_.begin(), packings_.end(), packing) == packings_.end()) packings_.push_back(packing);
  }
  const auto n = static_cast<std::int64_t>(packings_.size());
  workspace.reserve(region, n * Tiles::bytes(tokens, columns_));
  workspace.reserve_local(QuantisedRows::bytes(kMaxTileTokens, columns_));
}

Tiles Inputs::tiles(std::size_t packing) const {
  const std::int64_t offset = static_cast<std::int64_t>(packing) * Tiles::bytes(tokens_, columns_);
  return {workspace_.region(region_) + offset, columns_ / kBlock};
}

void Inputs::prepare(Worker& worker, const FloatRows& x, const TileSplit& split) const {
  if (packings_.empty()) return;
  const Kernels& kernels = workspace_.kernels();
  const auto rows = QuantisedRows::in(workspace_.local(worker), kMaxTileTokens, columns_);
  worker.for_each(split.count, [&](std::int64_t unit) {
    const std::int8_t* codes[kMaxTileTokens];
    const float* scales[kMaxTileTokens];
    const int n = split.size(unit);
    for (int t = 0; t < n; ++t) {
      kernels.quantise(x.of(split.first(unit) + t), columns_, rows.codes_of(t), rows.scales_of(t));
      codes[t] = rows.codes_of(t);
      scales[t] = rows.scales_of(t);
    }
    for (std::size_t i = 0; i < packings_.size(); ++i) {
      kernels.pack(packings_[i], codes, scales, columns_ / kBlock, tiles(i).at(split.first(unit), n));
    }
  });
}

Activations Inputs::of(const Matrix& weight, const FloatRows& x) const {
  if (!weight.format().quantised()) return {{}, x};
  const auto found = std::find(packings_.begin(), packings_.end(), weight.packing());
  return {tiles(static_cast<std::size_t>(found - packings_.begin())), {}};
}

Units::Units(const Workspace& workspace, const Matrix& matrix, const TokenRange& tokens)
    : tokens_(tokens),
      groups_(matrix.groups()),
      groups_per_unit_(2),
      tiles_per_unit_(Workspace::kTokensAtOnce / workspace.kernels().tile_tokens),
      token_units_((tokens.split.count + tiles_per_unit_ - 1) / tiles_per_unit_) {
  if (tokens.split.tokens == 1) {
    const std::int64_t groups = groups_of(kUnitBytes, workspace, matrix);
    groups_per_unit_ = std::clamp<std::int64_t>(groups, 1, Workspace::kMaxGroups);
  }
  row_units_ = (groups_ + groups_per_unit_ - 1) / groups_per_unit_;
}

int Units::groups(std::int64_t unit, std::int64_t* groups) const {
  const std::int64_t first = first_group(unit);
  const auto n = static_cast<int>(std::min(groups_per_unit_, groups_ - first));
  for (int i = 0; i < n; ++i) groups[i] = first + i;
  return n;
}

TokenRange Units::tokens(std::int64_t unit) const {
  const std::int64_t first = unit % token_units_ * tiles_per_unit_;
  const std::int64_t last = std::min(first + tiles_per_unit_, tokens_.split.count);
  return {tokens_.first + tokens_.split.first(first), tokens_.split.part(first, last)};
}

void multiply_unit(const Workspace& workspace, const Worker& worker, const Matrix& matrix, std::int64_t expert,
                   const Units& units, std::int64_t unit, const Activations& activations) {
  std::int64_t groups[Workspace::kMaxGroups];
  const auto n = static_cast<std::size_t>(units.groups(unit, groups));
  workspace.multiply(worker, matrix, expert, {groups, n}, activations, units.tokens(unit), workspace.sums(worker));
}

}  // namespace harness
