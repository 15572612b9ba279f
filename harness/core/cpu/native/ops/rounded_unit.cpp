#include "ops/rounded_unit.h"

namespace harness {
namespace {

/// Of a chunk's keys with their steps, and of its values.
std::int64_t key_bytes(const KvCache& cache) { return kChunk * (rounded_columns(cache.extent().head_dim) * 2 + 4); }
std::int64_t value_bytes(const KvCache& cache) { return kChunk * (std::int64_t{cache.value_columns()} * 2 + 4); }

}  // namespace

RoundedUnit::RoundedUnit(const Kernels& kernels, const KvCache& cache, std::int64_t queries, std::uint8_t* memory)
    : kernels_(&kernels), head_dim_(cache.extent().head_dim) {
  auto* keys = reinterpret_cast<float*>(memory);
  auto* values = reinterpret_cast<float*>(memory + key_bytes(cache));
  query_steps_ = reinterpret_cast<float*>(memory + key_bytes(cache) + value_bytes(cache));
  query_ = reinterpret_cast<std::int16_t*>(query_steps_ + queries);
  chunk_ = {.keys = reinterpret_cast<std::int16_t*>(keys + kChunk),
            .key_steps = keys,
            .values = reinterpret_cast<std::int16_t*>(values + kChunk),
            .value_steps = values,
            .query = query_,
            .query_steps = query_steps_};
}

std::int64_t RoundedUnit::bytes(const KvCache& cache, std::int64_t queries) {
  return key_bytes(cache) + value_bytes(cache) + queries * (4 + rounded_columns(cache.extent().head_dim) * 2);
}

void RoundedUnit::round_query(std::int64_t query, const float* numbers, float scale) const {
  kernels_->round_query(numbers, head_dim_, scale, query_ + query * rounded_columns(head_dim_), query_steps_ + query);
}

void RoundedUnit::round_chunk(const AttentionChunk& chunk, int first, int last) const {
  kernels_->round_chunk(chunk, first, last, chunk_);
}

RoundedChunk RoundedUnit::from(std::int64_t query) const {
  RoundedChunk chunk = chunk_;
  chunk.query += query * rounded_columns(head_dim_);
  chunk.query_steps += query;
  return chunk;
}

}  // namespace harness
