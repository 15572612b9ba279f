// A program and the state of one stream of tokens: values, KV cache, scratch and threads.
// Made op by op, then sealed; after that a call to run() executes all of it for one ubatch on all threads.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ops/attention.h"
#include "ops/feed_forward.h"
#include "ops/qkv.h"
#include "ops/routing.h"
#include "ops/simple.h"

namespace harness {

struct ProgramParams {
  std::int64_t ubatch;
  std::int64_t n_ctx;
  std::int64_t n_vocab;
  int n_threads;
};

class Program {
 public:
  /// `buffers`: floats per token of each buffer that values share. Errors: std::bad_alloc.
  Program(const Kernels& kernels, const ProgramParams& params, std::span<const std::int64_t> buffers);

  /// A value's place: `columns` floats per token in a buffer. Errors: std::invalid_argument.
  Value value(std::int64_t buffer, std::int64_t columns) const;

  Workspace& workspace() { return workspace_; }
  std::int64_t ubatch() const { return params_.ubatch; }
  KvCache& add_cache(std::int64_t n_head_kv, int head_dim, int head_dim_v, int window, KvType type_k = KvType::f16,
                     KvType type_v = KvType::f16);
  KvCache& cache(std::size_t slot) { return *caches_.at(slot); }
  /// Takes a copy of float32 [n_ctx][half] tables.
  void add_rope(std::span<const float> cosine, std::span<const float> sine, std::int64_t half);
  const RopeTable& rope(std::size_t index) const { return ropes_.at(index).table; }
  Routing& add_routing();
  Routing& routing(std::size_t index) { return *routings_.at(index); }
  Act& add_act(std::int64_t buffer, std::int64_t columns);
  Act& act(std::size_t index) { return *acts_.at(index); }
  /// Counters of one router, [n_expert].
  std::vector<std::int64_t>& add_counts(std::int64_t n_expert);
  const std::vector<std::int64_t>& counts(std::size_t index) const { return *counts_.at(index); }

  template <class O, class... Arguments>
  void add(Arguments&&... arguments) {
    ops_.push_back(std::make_unique<O>(std::forward<Arguments>(arguments)...));
    if constexpr (std::is_same_v<O, Qkv>) needs_all_tokens_ = ops_.size();
  }

  /// To be called once, after the last op. Errors: std::bad_alloc.
  void seal();

  /// One ubatch; logits of the last `outputs` tokens go to `logits`. Errors: std::invalid_argument for a ubatch that
  /// does not fit the context or a token outside the vocabulary.
  /// `op_ns`, where given, takes the time of every operation in nanoseconds, [ops()], as worker 0 sees it.
  void run(std::span<const std::int32_t> ids, std::int64_t position, std::int64_t outputs, float* logits,
           std::int64_t* op_ns = nullptr);

  std::size_t ops() const { return ops_.size(); }

  /// Operations first .. last alone, each for all of `ids`: for a program that other devices have a part in, whose
  /// other inputs are written into their buffers before. Errors: as run().
  void run_part(std::size_t first, std::size_t last, std::span<const std::int32_t> ids, std::int64_t position,
                float* logits);

  // For an ensemble, in which several programs run at once.

  /// Errors: as run().
  void check(std::span<const std::int32_t> ids, std::int64_t position, std::int64_t outputs) const;
  Team& team() { return *team_; }
  /// Operations first .. last for the tokens of `range`, called by every worker of the team.
  void run_operations(Worker& worker, std::size_t first, std::size_t last, const Step& step, const Range& range);

 private:
  struct Rope {
    std::vector<float> cosine;
    std::vector<float> sine;
    RopeTable table;
  };

  ProgramParams params_;
  std::vector<std::int64_t> buffer_columns_;
  std::vector<Buffer> buffers_;
  Workspace workspace_;
  std::vector<std::unique_ptr<KvCache>> caches_;
  std::vector<Rope> ropes_;
  std::vector<std::unique_ptr<Routing>> routings_;
  std::vector<std::unique_ptr<Act>> acts_;
  std::vector<std::unique_ptr<std::vector<std::int64_t>>> counts_;
  std::vector<std::unique_ptr<Op>> ops_;
  std::size_t needs_all_tokens_ = 0;  // the number of ops up to the last that stores keys and values
  std::optional<Team> team_;
};

}  // namespace harness
