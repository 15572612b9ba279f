// What one unit of rounded attention has in its worker's memory: codes of its queries and of one chunk of a KV head.
// Chunks are rounded anew by every unit, into memory that its core has in cache. kernels.h has the layouts, at
// RoundedChunk, and kernels/attention_rounded.inc what is computed.
#pragma once
#include <cstdint>

#include "ops/kv_cache.h"

namespace harness {

class RoundedUnit {
 public:
  /// `memory` has bytes() for these queries.
  RoundedUnit(const Kernels& kernels, const KvCache& cache, std::int64_t queries, std::uint8_t* memory);

  static std::int64_t bytes(const KvCache& cache, std::int64_t queries);

  void round_query(std::int64_t query, const float* numbers, float scale) const;
  /// Keys first .. last of `chunk`, and their values.
  void round_chunk(const AttentionChunk& chunk, int first, int last) const;
  /// Queries from `query` on, and the chunk rounded last.
  RoundedChunk from(std::int64_t query) const;

 private:
  const Kernels* kernels_;
  int head_dim_;
  RoundedChunk chunk_;
  std::int16_t* query_;
  float* query_steps_;
};

}  // namespace harness
