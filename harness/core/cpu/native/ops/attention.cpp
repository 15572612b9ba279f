#include "ops/attention.h"

#include <stdexcept>

namespace harness {

Attention::Attention(Workspace& workspace, const Weight& sinks, int n_head, float scale, const KvCache& cache, Value q,
                     Value a)
    : workspace_(workspace),
      sinks_("sinks", sinks, n_head),
      scale_(scale),
      cache_(cache),
      q_(q),
      a_(a),
      heads_per_kv_(n_head / cache.extent().heads),
      tokens_per_unit_(std::max<std::int64_t>(1, kQueries / std::max<std::int64_t>(1, heads_per_kv_))) {
  const KvExtent& kv = cache.extent();
  if (n_head % kv.heads != 0 || q.columns != n_head * kv.head_dim || a.columns != n_head * kv.head_dim_v) {
    throw std::invalid_argument("attention's values do not agree with its heads");
  }
  const std::int64_t n_chunks = (kv.positions + kChunk - 1) / kChunk;
  workspace.reserve(Workspace::kProducts, n_chunks * kv.heads * partial_bytes(heads_per_kv_));
  workspace.reserve_local(2 * partial_bytes(tokens_per_unit_ * heads_per_kv_));
}

std::int64_t Attention::partial_bytes(std::int64_t queries) const { return queries * (2 + cache_.value_columns()) * 4; }

Attention::Partial Attention::partial(std::uint8_t* memory, std::int64_t queries) const {
  auto* floats = reinterpret_cast<float*>(memory);
  return {floats, floats + queries, floats + 2 * queries};
}

/// The chunks that hold a key visible to any position of first .. last.
Attention::Span Attention::chunks(std::int64_t first_position, std::int64_t last_position) const {
  const int window = cache_.extent().window;
  const std::int64_t oldest = window > 0 ? std::max<std::int64_t>(0, first_position - window + 1) : 0;
  return {oldest / kChunk, last_position / kChunk + 1};
}

void Attention::run(Worker& worker, const Step& step, const Range& range) {
  if (range.count == 1) return run_one(worker, step.position + range.first, range.first);
  const std::int64_t kv_heads = cache_.extent().heads;
  const std::int64_t token_units = (range.count + tokens_per_unit_ - 1) / tokens_per_unit_;
  worker.for_each(token_units * kv_heads, [&](std::int64_t unit) {
    const std::int64_t first = unit / kv_heads * tokens_per_unit_;
    const std::int64_t tokens = std::min(tokens_per_unit_, range.count - first);
    run_tokens(worker, unit % kv_heads, step.position, range.first + first, tokens);
  });
}

/// The queries of one KV head and some tokens against one chunk.
void Attention::attend(std::int64_t kv_head, std::int64_t chunk, std::int64_t position, std::int64_t token,
                       std::int64_t tokens, const Partial& result) const {
  const KvExtent& kv = cache_.extent();
  const std::int64_t start = chunk * kChunk;
  constexpr std::int64_t kBatch = 64;
  const float* query[kBatch];
  std::int32_t first[kBatch];
  std::int32_t last[kBatch];
  std::int64_t n = 0;
  std::int64_t done = 0;
  const auto flush = [&] {
    if (n == 0) return;
    workspace_.kernels().attend({cache_.keys(kv_head, start), cache_.values(kv_head, start), kv.type_k, kv.type_v,
                                 kv.head_dim, cache_.value_columns(), scale_, n, query, first, last,
                                 result.maximum + done, result.sum + done, result.out + done * cache_.value_columns()});
    done += n;
    n = 0;
  };
  for (std::int64_t t = token; t < token + tokens; ++t) {
    const std::int64_t at = position + t;
    const std::int64_t oldest = kv.window > 0 ? std::max<std::int64_t>(0, at - kv.window + 1) : 0;
    for (std::int64_t head = 0; head < heads_per_kv_; ++head) {
      query[n] = q_.row(t) + (kv_head * heads_per_kv_ + head) * kv.head_dim;
      first[n] = static_cast<std::int32_t>(std::max<std::int64_t>(0, oldest - start));
      last[n] = static_cast<std::int32_t>(std::min<std::int64_t>(kChunk, at + 1 - start));
      if (++n == kBatch) flush();
    }
  }
  flush();
}

void Attention::run_tokens(const Worker& worker, std::int64_t kv_head, std::int64_t position, std::int64_t token,
                           std::int64_t tokens) const {
  const std::int64_t queries = tokens * heads_per_kv_;
  std::uint8_t* memory = workspace_.local(worker);
  const Partial total = partial(memory, queries);
  const Partial later = partial(memory + partial_bytes(queries), queries);
  const Span span = chunks(position + token, position + token + tokens - 1);
  for (std::int64_t query = 0; query < queries; ++query) total.sum[query] = 0.0F;
  for (std::int64_t chunk = span.first; chunk < span.last; ++chunk) {
    // Tokens that see nothing of this chunk are at one end: those before it, and those whose window is past it.
    std::int64_t from = std::max<std::int64_t>(0, chunk * kChunk - position - token);
    std::int64_t to = tokens;
    if (const int window = cache_.extent().window; window > 0) {
      to = std::min(to, (chunk + 1) * kChunk + window - 1 - position - token);
    }
    if (from >= to) continue;
    attend(kv_head, chunk, position, token + from, to - from, later);
    for (std::int64_t query = from * heads_per_kv_; query < to * heads_per_kv_; ++query) {
      const std::int64_t at = query - from * heads_per_kv_;
      merge({total.maximum + query, total.sum + query, total.out + query * cache_.value_columns()},
            {later.maximum + at, later.sum + at, later.out + at * cache_.value_columns()}, 0);
    }
  }
  finish(total, kv_head, token, tokens);
}

/// Adds a chunk's result to the earlier ones'; a sum of zero says there is none yet.
void Attention::merge(const Partial& earlier, const Partial& later, std::int64_t query) const {
  const std::int64_t columns = cache_.value_columns();
  float* out = earlier.out + query * columns;
  const float* later_out = later.out + query * columns;
  if (earlier.sum[query] == 0.0F) {
    earlier.maximum[query] = later.maximum[query];
    earlier.sum[query] = later.sum[query];
    std::copy(later_out, later_out + columns, out);
    return;
  }
  workspace_.kernels().merge(earlier.maximum + query, earlier.sum + query, out, later.maximum[query], later.sum[query],
                             later_out, columns);
}

void Attention::finish(const Partial& result, std::int64_t kv_head, std::int64_t token, std::int64_t tokens) const {
  const KvExtent& kv = cache_.extent();
  for (std::int64_t query = 0; query < tokens * heads_per_kv_; ++query) {
    const std::int64_t head = kv_head * heads_per_kv_ + query % heads_per_kv_;
    float* y = a_.row(token + query / heads_per_kv_) + head * kv.head_dim_v;
    workspace_.kernels().finish(result.maximum[query], result.sum[query], result.out + query * cache_.value_columns(),
                                sinks_.at(head), kv.head_dim_v, y);
  }
}

void Attention::run_one(Worker& worker, std::int64_t position, std::int64_t token) {
  const std::int64_t kv_heads = cache_.extent().heads;
  const Span span = chunks(position, position);
  const std::int64_t n_chunks = span.last - span.first;
  std::uint8_t* memory = workspace_.region(Workspace::kProducts);
  const auto result = [&](std::int64_t kv_head, std::int64_t chunk) {
    return partial(memory + (kv_head * n_chunks + chunk) * partial_bytes(heads_per_kv_), heads_per_kv_);
  };
  worker.for_each(kv_heads * n_chunks, [&](std::int64_t unit) {
    const std::int64_t chunk = unit % n_chunks;
    const std::int64_t kv_head = unit / n_chunks;
    attend(kv_head, span.first + chunk, position - token, token, 1, result(kv_head, chunk));
  });
  worker.for_each(kv_heads, [&](std::int64_t kv_head) {
    const Partial total = result(kv_head, 0);
    for (std::int64_t chunk = 1; chunk < n_chunks; ++chunk) {
      for (std::int64_t query = 0; query < heads_per_kv_; ++query) merge(total, result(kv_head, chunk), query);
    }
    finish(total, kv_head, token, 1);
  });
}

}  // namespace harness
