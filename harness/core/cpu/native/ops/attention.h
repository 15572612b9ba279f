// Causal attention over the cache. Keys are visited in chunks of 256 from position 0, and chunks combined in ascending
// order, however the work is shared out: with one token over heads and chunks, else over heads and tokens.
#pragma once
#include <cstdint>

#include "ops/kv_cache.h"
#include "ops/op.h"

namespace harness {

class Attention final : public Op {
 public:
  Attention(Workspace& workspace, const Weight& sinks, int n_head, float scale, const KvCache& cache, Value q, Value a);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  struct Span {
    std::int64_t first;  // chunks
    std::int64_t last;
  };
  struct Partial {
    float* maximum;
    float* sum;
    float* out;
  };

  Span chunks(std::int64_t first_position, std::int64_t last_position) const;
  Partial partial(std::uint8_t* memory, std::int64_t queries) const;
  std::int64_t partial_bytes(std::int64_t queries) const;
  void attend(std::int64_t kv_head, std::int64_t chunk, std::int64_t position, std::int64_t token, std::int64_t tokens,
              const Partial& result) const;
  void run_one(Worker& worker, std::int64_t position, std::int64_t token);
  void run_tokens(const Worker& worker, std::int64_t kv_head, std::int64_t position, std::int64_t token,
                  std::int64_t tokens) const;
  void merge(const Partial& earlier, const Partial& later, std::int64_t query) const;
  void finish(const Partial& result, std::int64_t kv_head, std::int64_t token, std::int64_t tokens) const;

  static constexpr std::int64_t kQueries = 64;  // tokens x heads that one unit aims at

  Workspace& workspace_;
  Floats sinks_;
  float scale_;
  const KvCache& cache_;
  Value q_;
  Value a_;
  std::int64_t heads_per_kv_;
  std::int64_t tokens_per_unit_;
};

}  // namespace harness
