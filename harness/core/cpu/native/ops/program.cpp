#include "ops/program.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

namespace harness {
namespace {

// Products of these, in bytes, stay within 63 bits.
constexpr std::int64_t kMostTokens = std::int64_t{1} << 30;
constexpr std::int64_t kMostColumns = std::int64_t{1} << 30;
constexpr std::int64_t kMostHeads = 1 << 16;
constexpr std::int64_t kMostHeadDim = 1 << 12;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Program::Program(const Kernels& kernels, const ProgramParams& params, std::span<const std::int64_t> buffers)
    : params_(params),
      buffer_columns_(buffers.begin(), buffers.end()),
      workspace_(kernels, params.ubatch, std::max(1, params.n_threads)) {
  for (const std::int64_t n : {params.ubatch, params.n_ctx}) {
    if (n < 1 || n > kMostTokens) {
      throw std::invalid_argument("ubatch and n_ctx must be 1 to " + std::to_string(kMostTokens));
    }
  }
  for (const std::int64_t columns : buffers) {
    if (columns < 1 || columns > kMostColumns) {
      throw std::invalid_argument("a value has 1 to " + std::to_string(kMostColumns) + " columns");
    }
    buffers_.emplace_back(static_cast<std::size_t>(params.ubatch * columns) * sizeof(float));
  }
}

Value Program::value(std::int64_t buffer, std::int64_t columns) const {
  const auto index = static_cast<std::size_t>(buffer);
  if (buffer < 0 || index >= buffers_.size() || columns < 1 || columns > buffer_columns_[index]) {
    throw std::invalid_argument("a value does not fit its buffer");
  }
  return {buffers_[index].as<float>(), columns};
}

KvCache& Program::add_cache(std::int64_t n_head_kv, int head_dim, int head_dim_v, int window, KvType type_k,
                            KvType type_v) {
  const auto fits = [](std::int64_t n, std::int64_t most) { return n >= 1 && n <= most; };
  if (!fits(n_head_kv, kMostHeads) || !fits(head_dim, kMostHeadDim) || !fits(head_dim_v, kMostHeadDim) || window < 0) {
    throw std::invalid_argument("a KV slot's extent is out of range");
  }
  if ((type_k == KvType::q8_0 && head_dim % kBlock != 0) || (type_v == KvType::q8_0 && head_dim_v % kBlock != 0)) {
    throw std::invalid_argument("a KV slot of type q8_0 needs heads of whole blocks");
  }
  const std::int64_t positions = (params_.n_ctx + 15) / 16 * 16;
  caches_.push_back(
      std::make_unique<KvCache>(KvExtent{n_head_kv, positions, head_dim, head_dim_v, window, type_k, type_v}));
  return *caches_.back();
}

void Program::add_rope(std::span<const float> cosine, std::span<const float> sine, std::int64_t half) {
  const auto needed = static_cast<std::size_t>(params_.n_ctx * std::clamp<std::int64_t>(half, 0, kMostHeadDim));
  if (half < 1 || half > kMostHeadDim || cosine.size() != needed || sine.size() != needed) {
    throw std::invalid_argument("a RoPE table is not [n_ctx][n_rot / 2]");
  }
  ropes_.push_back({{cosine.begin(), cosine.end()}, {sine.begin(), sine.end()}, {}});
  Rope& rope = ropes_.back();
  rope.table = {rope.cosine.data(), rope.sine.data(), half};
}

Routing& Program::add_routing() {
  routings_.push_back(std::make_unique<Routing>());
  return *routings_.back();
}

Act& Program::add_act(std::int64_t buffer, std::int64_t columns) {
  acts_.push_back(std::make_unique<Act>(Act{reinterpret_cast<std::uint8_t*>(value(buffer, columns).data), false}));
  return *acts_.back();
}

std::vector<std::int64_t>& Program::add_counts(std::int64_t n_expert) {
  counts_.push_back(std::make_unique<std::vector<std::int64_t>>(static_cast<std::size_t>(n_expert)));
  return *counts_.back();
}

void Program::seal() {
  workspace_.allocate();
  team_.emplace(workspace_.threads());
}

void Program::check(std::span<const std::int32_t> ids, std::int64_t position, std::int64_t outputs) const {
  const auto n = static_cast<std::int64_t>(ids.size());
  if (!team_) throw std::invalid_argument("the program is not sealed");
  if (n < 1 || n > params_.ubatch)
    throw std::invalid_argument("a ubatch has 1 to " + std::to_string(params_.ubatch) + " tokens");
  if (position < 0 || position > params_.n_ctx - n) throw std::invalid_argument("the ubatch does not fit the context");
  if (outputs < 0 || outputs > n) throw std::invalid_argument("more outputs than tokens");
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= params_.n_vocab)
      throw std::invalid_argument("token " + std::to_string(id) + " is not in the vocabulary");
  }
}

void Program::run(std::span<const std::int32_t> ids, std::int64_t position, std::int64_t outputs, float* logits,
                  std::int64_t* op_ns) {
  check(ids, position, outputs);
  const auto n = static_cast<std::int64_t>(ids.size());
  const Step step{ids.data(), n, position, logits};
  const Range all{0, n};
  const Range wanted{n - outputs, outputs};
  team_->run([&](Worker& worker) {
    const bool timed = op_ns != nullptr && worker.index() == 0;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      const std::int64_t begin = timed ? now_ns() : 0;
      if (i < needs_all_tokens_) {
        ops_[i]->run(worker, step, all);
      } else if (outputs > 0) {
        ops_[i]->run(worker, step, wanted);
      }
      if (timed) op_ns[i] = now_ns() - begin;
    }
  });
}

void Program::run_part(std::size_t first, std::size_t last, std::span<const std::int32_t> ids, std::int64_t position,
                       float* logits) {
  check(ids, position, 0);
  if (first > last || last > ops_.size()) throw std::invalid_argument("the program has no such operations");
  const auto n = static_cast<std::int64_t>(ids.size());
  const Step step{ids.data(), n, position, logits};
  team_->run([&](Worker& worker) { run_operations(worker, first, last, step, {0, n}); });
}

void Program::run_operations(Worker& worker, std::size_t first, std::size_t last, const Step& step,
                             const Range& range) {
  for (std::size_t i = first; i < last; ++i) ops_[i]->run(worker, step, range);
}

}  // namespace harness
