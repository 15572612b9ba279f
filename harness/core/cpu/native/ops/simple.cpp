#include "ops/simple.h"

namespace harness {
namespace {

/// Adds bias and residual to one group's sums and stores them.
void store_rows(const float* sums, std::int64_t tokens, int rows, const float* bias, const float* residual,
                std::int64_t stride, float* y) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (int r = 0; r < rows; ++r) {
      float value = sums[t * kRows + r];
      if (bias != nullptr) value += bias[r];
      y[t * stride + r] = residual == nullptr ? value : residual[t * stride + r] + value;
    }
  }
}

}  // namespace

Embed::Embed(Workspace& workspace, Weight table, Value x) : workspace_(workspace), table_(std::move(table)), x_(x) {
  expect("table", *table_, 1, table_->rows(), x.columns);
}

void Embed::run(Worker& worker, const Step& step, const Range& range) {
  worker.for_each(range.count, [&](std::int64_t i) {
    const std::int64_t token = range.first + i;
    workspace_.decode_row(worker, *table_, step.ids[token], x_.row(token));
  });
}

RmsNorm::RmsNorm(Workspace& workspace, const Weight& weight, float eps, Value x, Value y)
    : kernels_(workspace.kernels()), weight_("norm", weight, x.columns), eps_(eps), x_(x), y_(y) {}

void RmsNorm::run(Worker& worker, const Step&, const Range& range) {
  worker.for_each(range.count, [&](std::int64_t i) {
    const std::int64_t token = range.first + i;
    kernels_.rms_norm(x_.row(token), weight_.data(), eps_, x_.columns, y_.row(token));
  });
}

Linear::Linear(Workspace& workspace, Weight weight, const Weight& bias, Value x, Value residual, Value y)
    : workspace_(workspace),
      weight_(std::move(weight)),
      bias_("bias", bias, y.columns),
      inputs_(workspace, Workspace::kTiles, workspace.ubatch(), {weight_.get()}),
      x_(x),
      residual_(residual),
      y_(y) {
  expect("weight", *weight_, 1, y.columns, x.columns);
}

void Linear::run(Worker& worker, const Step&, const Range& range) {
  const FloatRows x{x_.row(range.first), x_.columns};
  const TileSplit split = tiles_for(workspace_, range.count);
  const Units units(workspace_, *weight_, {0, split});
  if (range.count == 1) ask_for_first(*weight_, 0, units.first_group(worker.first_of(units.count())));
  inputs_.prepare(worker, x, split);
  multiply_all(workspace_, worker, *weight_, units, inputs_.of(*weight_, x),
               [&](std::int64_t row, int rows, std::int64_t first, std::int64_t tokens, const float* sums) {
                 const std::int64_t at = (range.first + first) * y_.columns + row;
                 store_rows(sums, tokens, rows, bias_.at(row), residual_.data ? residual_.data + at : nullptr,
                            y_.columns, y_.data + at);
               });
}

Logits::Logits(Workspace& workspace, Weight weight, Value x)
    : workspace_(workspace),
      weight_(std::move(weight)),
      inputs_(workspace, Workspace::kTiles, workspace.ubatch(), {weight_.get()}),
      x_(x) {
  expect("output", *weight_, 1, weight_->rows(), x.columns);
}

void Logits::run(Worker& worker, const Step& step, const Range& range) {
  const FloatRows x{x_.row(range.first), x_.columns};
  const TileSplit split = tiles_for(workspace_, range.count);
  const Units units(workspace_, *weight_, {0, split});
  if (range.count == 1) ask_for_first(*weight_, 0, units.first_group(worker.first_of(units.count())));
  inputs_.prepare(worker, x, split);
  multiply_all(workspace_, worker, *weight_, units, inputs_.of(*weight_, x),
               [&](std::int64_t row, int rows, std::int64_t first, std::int64_t tokens, const float* sums) {
                 store_rows(sums, tokens, rows, nullptr, nullptr, weight_->rows(),
                            step.logits + first * weight_->rows() + row);
               });
}

}  // namespace harness
