#include "ops/qkv.h"

#include <cstring>
#include <stdexcept>
#include <utility>

namespace harness {
namespace {

std::vector<const Matrix*> matrices(const std::vector<Projection>& projections) {
  std::vector<const Matrix*> found;
  for (const Projection& projection : projections) found.push_back(projection.weight.get());
  return found;
}

}  // namespace

Qkv::Qkv(Workspace& workspace, std::vector<Projection> projections, const Weight& q_norm, const Weight& k_norm,
         const QkvParams& params, KvCache& cache, Value h, Value q)
    : workspace_(workspace),
      q_norm_("q_norm", q_norm, cache.extent().head_dim),
      k_norm_("k_norm", k_norm, cache.extent().head_dim),
      params_(params),
      cache_(cache),
      inputs_(workspace, Workspace::kTiles, workspace.ubatch(), matrices(projections)),
      h_(h),
      q_(q),
      columns_(0) {
  for (Projection& projection : projections) {
    const std::int64_t rows = projection.weight->rows();
    expect("projection", *projection.weight, 1, rows, h.columns);
    first_rows_.push_back(columns_);
    biases_.emplace_back("projection's bias", projection.bias, rows);
    weights_.push_back(std::move(projection.weight));
    columns_ += rows;
  }
  const KvExtent& kv = cache.extent();
  if (q.columns != params.n_head * kv.head_dim || columns_ != q.columns + kv.heads * (kv.head_dim + kv.head_dim_v) ||
      params.n_head % kv.heads != 0 || 2 * params.table.half > kv.head_dim) {
    throw std::invalid_argument("the projections' rows do not agree with the heads");
  }
  workspace.reserve(Workspace::kProducts, workspace.ubatch() * columns_ * 4);
  workspace.reserve_local(cache.scratch_bytes());
}

void Qkv::run(Worker& worker, const Step& step, const Range& range) {
  const FloatRows h{h_.row(range.first), h_.columns};
  const TileSplit split = tiles_for(workspace_, range.count);
  auto* products = reinterpret_cast<float*>(workspace_.region(Workspace::kProducts));
  std::vector<Units> units;
  std::int64_t n_units = 0;
  for (const Weight& weight : weights_) {
    units.emplace_back(workspace_, *weight, TokenRange{0, split});
    n_units += units.back().count();
  }
  const auto projection_of = [&](std::int64_t& unit) {  // which then counts within it
    std::size_t i = 0;
    for (; unit >= units[i].count(); ++i) unit -= units[i].count();
    return i;
  };
  if (std::int64_t first = worker.first_of(n_units); range.count == 1 && first < n_units) {
    const std::size_t i = projection_of(first);
    ask_for_first(*weights_[i], 0, units[i].first_group(first));
  }
  inputs_.prepare(worker, h, split);
  worker.for_each(
      n_units,
      [&](std::int64_t unit) {
        const std::size_t i = projection_of(unit);
        multiply_unit(workspace_, worker, *weights_[i], 0, units[i], unit, inputs_.of(*weights_[i], h));
      },
      [&](std::int64_t unit) {
        const std::size_t i = projection_of(unit);
        hand_over(workspace_, worker, *weights_[i], units[i], unit,
                  [&](std::int64_t row, int rows, std::int64_t first, std::int64_t tokens, const float* sums) {
                    const float* bias = biases_[i].at(row);
                    for (std::int64_t t = 0; t < tokens; ++t) {
                      float* out = products + (first + t) * columns_ + first_rows_[i] + row;
                      for (int r = 0; r < rows; ++r) out[r] = sums[t * kRows + r] + (bias == nullptr ? 0.0F : bias[r]);
                    }
                  });
      });
  const std::int64_t heads = params_.n_head + 2 * cache_.extent().heads;
  const std::int64_t heads_at_once = range.count == 1 ? 8 : heads;
  const std::int64_t parts = (heads + heads_at_once - 1) / heads_at_once;
  worker.for_each(range.count * parts, [&](std::int64_t unit) {
    const std::int64_t token = unit / parts;
    const std::int64_t first = unit % parts * heads_at_once;
    for (std::int64_t head = first; head < std::min(first + heads_at_once, heads); ++head) {
      place_head(worker, token, step.position + range.first + token, head);
    }
  });
}

/// Finishes one head of one token; heads are numbered q, k, v.
void Qkv::place_head(const Worker& worker, std::int64_t token, std::int64_t position, std::int64_t head) {
  const KvExtent& kv = cache_.extent();
  float* product = reinterpret_cast<float*>(workspace_.region(Workspace::kProducts)) + token * columns_;
  if (head < params_.n_head) {
    float* q = product + head * kv.head_dim;
    turn(q, q_norm_, position);
    std::memcpy(q_.row(token) + head * kv.head_dim, q, static_cast<std::size_t>(kv.head_dim) * sizeof(float));
    return;
  }
  head -= params_.n_head;
  if (head < kv.heads) {
    float* k = product + q_.columns + head * kv.head_dim;
    turn(k, k_norm_, position);
    cache_.store_key(workspace_.kernels(), head, position, k, workspace_.local(worker));
    return;
  }
  head -= kv.heads;
  const float* v = product + q_.columns + kv.heads * kv.head_dim + head * kv.head_dim_v;
  cache_.store_value(workspace_.kernels(), head, position, v, workspace_.local(worker));
}

void Qkv::turn(float* head, const Floats& norm, std::int64_t position) const {
  const KvExtent& kv = cache_.extent();
  if (norm.data() != nullptr) workspace_.kernels().rms_norm(head, norm.data(), params_.eps, kv.head_dim, head);
  if (params_.rope == Rope::none) return;
  const std::int64_t half = params_.table.half;
  const float* cosine = params_.table.cosine + position * half;
  const float* sine = params_.table.sine + position * half;
  const std::int64_t step = params_.rope == Rope::neox ? 1 : 2;
  const std::int64_t distance = params_.rope == Rope::neox ? half : 1;
  for (std::int64_t i = 0; i < half; ++i) {
    float& a = head[i * step];
    float& b = head[i * step + distance];
    const float turned = a * cosine[i] - b * sine[i];
    b = a * sine[i] + b * cosine[i];
    a = turned;
  }
}

}  // namespace harness
