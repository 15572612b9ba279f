// Products of several weights with the same tokens: quantise once, share out groups of rows, hand sums to a sink.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/op.h"

namespace harness {

/// The forms in which a set of weights wants its activations: tiles for each packing, floats for plain weights.
class Inputs {
 public:
  /// Reserves memory for up to `tokens` tokens. `weights` share their columns.
  Inputs(Workspace& workspace, Workspace::Region region, std::int64_t tokens, std::vector<const Matrix*> weights);

  /// Quantises rows of `x` into tiles of `split`, every worker its share.
  void prepare(Worker& worker, const FloatRows& x, const TileSplit& split) const;

  /// What `weight` multiplies.
  Activations of(const Matrix& weight, const FloatRows& x) const;

 private:
  Tiles tiles(std::size_t packing) const;

  Workspace& workspace_;
  Workspace::Region region_;
  std::int64_t tokens_;
  std::int64_t columns_;
  std::vector<Packing> packings_;
};

/// Asks memory for the rows from group `group` on, which a worker is about to multiply with one token, while the tokens
/// are made ready: nothing else is on its way where a product begins, so the first bytes would be waited for.
void ask_for_first(const Matrix& matrix, std::int64_t expert, std::int64_t group);

/// How many adjoining groups of `matrix` a worker multiplies with one token before it turns to other memory: enough for
/// the processor's own prefetching to pay off, which begins anew there, and few enough that all workers get some.
std::int64_t groups_in_a_run(const Workspace& workspace, const Matrix& matrix);

/// Units of work for one weight and some tokens: a few groups of rows by at most kTokensAtOnce tokens.
class Units {
 public:
  Units(const Workspace& workspace, const Matrix& matrix, const TokenRange& tokens);

  std::int64_t count() const { return row_units_ * token_units_; }
  std::int64_t first_token() const { return tokens_.first; }

  std::int64_t first_group(std::int64_t unit) const { return unit / token_units_ * groups_per_unit_; }

  /// The unit's groups, in `groups`; returns how many.
  int groups(std::int64_t unit, std::int64_t* groups) const;
  TokenRange tokens(std::int64_t unit) const;

 private:
  TokenRange tokens_;
  std::int64_t groups_;
  std::int64_t groups_per_unit_;
  std::int64_t row_units_;
  std::int64_t tiles_per_unit_;
  std::int64_t token_units_;
};

/// Multiplies one expert of `matrix`, into the worker's sums.
void multiply_unit(const Workspace& workspace, const Worker& worker, const Matrix& matrix, std::int64_t expert,
                   const Units& units, std::int64_t unit, const Activations& activations);

/// What multiply_unit() made: sink(row, n_rows, first_token, n_tokens, sums [token][16]) takes it, tokens counted from
/// the units' first.
template <class Sink>
void hand_over(const Workspace& workspace, const Worker& worker, const Matrix& matrix, const Units& units,
               std::int64_t unit, Sink&& sink) {
  std::int64_t groups[Workspace::kMaxGroups];
  const int n = units.groups(unit, groups);
  const TokenRange tokens = units.tokens(unit);
  const std::int64_t first = tokens.first - units.first_token();
  const float* sums = workspace.sums(worker);
  for (int i = 0; i < n; ++i) {
    const RowGroup rows = matrix.group(groups[i]);
    sink(rows.first, rows.count, first, tokens.split.tokens, sums + i * tokens.split.tokens * kRows);
  }
}

/// All units of a weight that has one expert; `sink` as of hand_over().
template <class Sink>
void multiply_all(const Workspace& workspace, Worker& worker, const Matrix& matrix, const Units& units,
                  const Activations& activations, Sink&& sink) {
  worker.for_each(
      units.count(), [&](std::int64_t unit) { multiply_unit(workspace, worker, matrix, 0, units, unit, activations); },
      [&](std::int64_t unit) { hand_over(workspace, worker, matrix, units, unit, sink); });
}

/// Tokens cut as this workspace's kernels like them.
inline TileSplit tiles_for(const Workspace& workspace, std::int64_t tokens) {
  return {tokens, workspace.kernels().tile_tokens};
}

}  // namespace harness
