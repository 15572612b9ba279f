// Causal attention over the cache. Keys are visited in chunks of 256 from position 0, and chunks combined in ascending
// order, however the work is shared out: with one token over heads and chunks, else over heads and tokens.
// Where it may round and the step has several tokens, queries, keys, values and shares are rounded to int16.
#pragma once
#include <cstdint>

#include "ops/kv_cache.h"
#include "ops/op.h"
#include "ops/rounded_unit.h"

namespace harness {

class Attention final : public Op {
 public:
  /// `rounds`: whether it may round.
  Attention(Workspace& workspace, const Weight& sinks, int n_head, float scale, bool rounds, const KvCache& cache,
            Value q, Value a);
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
  static void place(AttentionChunk& chunk, const Partial& result, std::int64_t query);
  std::int64_t oldest(std::int64_t position) const;
  int first_seen(std::int64_t position, std::int64_t chunk) const;
  static int last_seen(std::int64_t position, std::int64_t chunk);
  std::int64_t tokens_at_once(std::int64_t tokens, bool rounded) const;
  AttentionChunk chunk_of(std::int64_t kv_head, std::int64_t chunk) const;
  template <class Take>
  void attend(std::int64_t kv_head, std::int64_t chunk, std::int64_t position, std::int64_t token, std::int64_t tokens,
              const Take& take) const;
  RoundedUnit rounded_unit(std::uint8_t* memory, std::int64_t kv_head, std::int64_t token, std::int64_t tokens) const;
  void run_one(Worker& worker, std::int64_t position, std::int64_t token);
  void run_tokens(const Worker& worker, std::int64_t kv_head, std::int64_t position, const Range& range,
                  bool rounded) const;
  void merge(const Partial& earlier, std::int64_t query, const Partial& later, std::int64_t later_query) const;
  void finish(const Partial& result, std::int64_t kv_head, std::int64_t token, std::int64_t tokens) const;

  static constexpr std::int64_t kQueries = 64;  // tokens x heads that one unit aims at, and a kernel is called for
  static constexpr std::int64_t kRoundedQueries = 384;  // the same where every unit rounds all keys
  static constexpr std::int64_t kUnitsPerWorker = 4;    // below which fewer than these will do

  Workspace& workspace_;
  Floats sinks_;
  float scale_;
  bool rounds_;
  const KvCache& cache_;
  Value q_;
  Value a_;
  std::int64_t heads_per_kv_;
  std::int64_t tokens_per_unit_;
};

}  // namespace harness
