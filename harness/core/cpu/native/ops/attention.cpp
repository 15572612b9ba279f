#include "ops/attention.h"

#include <cstring>
#include <optional>
#include <stdexcept>

namespace harness {

Attention::Attention(Workspace& workspace, const Weight& sinks, int n_head, float scale, bool rounds,
                     const KvCache& cache, Value q, Value a)
    : workspace_(workspace),
      sinks_("sinks", sinks, n_head),
      scale_(scale),
      rounds_(rounds),
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
  const std::int64_t queries = std::max(rounds ? kRoundedQueries : kQueries, heads_per_kv_);
  workspace.reserve_local(partial_bytes(queries + kQueries) + (rounds ? RoundedUnit::bytes(cache, queries) : 0));
}

std::int64_t Attention::partial_bytes(std::int64_t queries) const { return queries * (2 + cache_.value_columns()) * 4; }

Attention::Partial Attention::partial(std::uint8_t* memory, std::int64_t queries) const {
  auto* floats = reinterpret_cast<float*>(memory);
  return {floats, floats + queries, floats + 2 * queries};
}

void Attention::place(AttentionChunk& chunk, const Partial& result, std::int64_t query) {
  chunk.maximum = result.maximum + query;
  chunk.sum = result.sum + query;
  chunk.out = result.out + query * chunk.value_columns;
}

/// The first position that `position` sees.
std::int64_t Attention::oldest(std::int64_t position) const {
  const int window = cache_.extent().window;
  return window > 0 ? std::max<std::int64_t>(0, position - window + 1) : 0;
}

/// Where the keys of a chunk that `position` sees begin ...
int Attention::first_seen(std::int64_t position, std::int64_t chunk) const {
  return static_cast<int>(std::max<std::int64_t>(0, oldest(position) - chunk * kChunk));
}

/// ... and end.
int Attention::last_seen(std::int64_t position, std::int64_t chunk) {
  return static_cast<int>(std::min<std::int64_t>(kChunk, position + 1 - chunk * kChunk));
}

/// The chunks that hold a key visible to any position of first .. last.
Attention::Span Attention::chunks(std::int64_t first_position, std::int64_t last_position) const {
  return {oldest(first_position) / kChunk, last_position / kChunk + 1};
}

std::int64_t Attention::tokens_at_once(std::int64_t tokens, bool rounded) const {
  if (!rounded) return tokens_per_unit_;
  const std::int64_t share = tokens * cache_.extent().heads / (kUnitsPerWorker * workspace_.threads());
  const std::int64_t most = std::max<std::int64_t>(1, kRoundedQueries / heads_per_kv_);
  return std::clamp(share, tokens_per_unit_, most);
}

void Attention::run(Worker& worker, const Step& step, const Range& range) {
  const bool rounded = rounds_ && step.tokens > 1;  // for the last layer's only token too: it must not see who is asked
  if (range.count == 1 && !rounded) return run_one(worker, step.position + range.first, range.first);
  const std::int64_t kv_heads = cache_.extent().heads;
  const std::int64_t at_once = tokens_at_once(range.count, rounded);
  const std::int64_t token_units = (range.count + at_once - 1) / at_once;
  const auto tokens_of = [&](std::int64_t unit) {
    const std::int64_t first = unit / kv_heads * at_once;
    return Range{range.first + first, std::min(at_once, range.count - first)};
  };
  worker.for_each(
      token_units * kv_heads,
      [&](std::int64_t unit) { run_tokens(worker, unit % kv_heads, step.position, tokens_of(unit), rounded); },
      [&](std::int64_t unit) {
        const auto [token, tokens] = tokens_of(unit);
        finish(partial(workspace_.local(worker), tokens * heads_per_kv_), unit % kv_heads, token, tokens);
      });
}

/// A chunk of one KV head, without queries.
AttentionChunk Attention::chunk_of(std::int64_t kv_head, std::int64_t chunk) const {
  const KvExtent& kv = cache_.extent();
  const std::int64_t start = chunk * kChunk;
  return {.keys = cache_.keys(kv_head, start),
          .values = cache_.values(kv_head, start),
          .key_type = kv.type_k,
          .value_type = kv.type_v,
          .head_dim = kv.head_dim,
          .value_columns = cache_.value_columns(),
          .scale = scale_,
          .queries = 0,
          .query = nullptr,
          .first = nullptr,
          .last = nullptr,
          .maximum = nullptr,
          .sum = nullptr,
          .out = nullptr,
          .next = nullptr,
          .next_bytes = 0};
}

/// The queries of one KV head and some tokens against one chunk, a few at a time: take(chunk, number of the first),
/// with no place for results yet.
template <class Take>
void Attention::attend(std::int64_t kv_head, std::int64_t chunk, std::int64_t position, std::int64_t token,
                       std::int64_t tokens, const Take& take) const {
  const KvExtent& kv = cache_.extent();
  AttentionChunk c = chunk_of(kv_head, chunk);
  const float* query[kQueries];
  std::int32_t first[kQueries];
  std::int32_t last[kQueries];
  c.query = query;
  c.first = first;
  c.last = last;
  std::int64_t n = 0;
  std::int64_t done = 0;
  const auto flush = [&] {
    if (n == 0) return;
    c.queries = n;
    take(c, done);
    done += n;
    n = 0;
  };
  for (std::int64_t t = token; t < token + tokens; ++t) {
    const std::int64_t at = position + t;
    for (std::int64_t head = 0; head < heads_per_kv_; ++head) {
      query[n] = q_.row(t) + (kv_head * heads_per_kv_ + head) * kv.head_dim;
      first[n] = first_seen(at, chunk);
      last[n] = last_seen(at, chunk);
      if (++n == kQueries) flush();
    }
  }
  flush();
}

/// With the queries of one KV head and some tokens.
RoundedUnit Attention::rounded_unit(std::uint8_t* memory, std::int64_t kv_head, std::int64_t token,
                                    std::int64_t tokens) const {
  const std::int64_t queries = tokens * heads_per_kv_;
  const RoundedUnit unit(workspace_.kernels(), cache_, queries, memory);
  for (std::int64_t query = 0; query < queries; ++query) {
    const std::int64_t head = kv_head * heads_per_kv_ + query % heads_per_kv_;
    unit.round_query(query, q_.row(token + query / heads_per_kv_) + head * cache_.extent().head_dim, scale_);
  }
  return unit;
}

/// One unit's result into the worker's own memory.
void Attention::run_tokens(const Worker& worker, std::int64_t kv_head, std::int64_t position, const Range& range,
                           bool rounded) const {
  const auto [token, tokens] = range;
  const std::int64_t queries = tokens * heads_per_kv_;
  std::uint8_t* memory = workspace_.local(worker);
  const Partial total = partial(memory, queries);
  const Partial later = partial(memory + partial_bytes(queries), kQueries);
  const Span span = chunks(position + token, position + token + tokens - 1);
  for (std::int64_t query = 0; query < queries; ++query) total.sum[query] = 0.0F;
  std::optional<RoundedUnit> unit;
  if (rounded) unit = rounded_unit(memory + partial_bytes(queries + kQueries), kv_head, token, tokens);
  for (std::int64_t chunk = span.first; chunk < span.last; ++chunk) {
    // Tokens that see nothing of this chunk are at one end: those before it, and those whose window is past it.
    std::int64_t from = std::max<std::int64_t>(0, chunk * kChunk - position - token);
    std::int64_t to = tokens;
    if (const int window = cache_.extent().window; window > 0) {
      to = std::min(to, (chunk + 1) * kChunk + window - 1 - position - token);
    }
    if (from >= to) continue;
    if (unit) {
      unit->round_chunk(chunk_of(kv_head, chunk), first_seen(position + token + from, chunk),
                        last_seen(position + token + to - 1, chunk));
    }
    attend(kv_head, chunk, position, token + from, to - from, [&](AttentionChunk& c, std::int64_t done) {
      const std::int64_t query = from * heads_per_kv_ + done;
      place(c, later, 0);
      if (unit) {
        workspace_.kernels().attend_rounded(c, unit->from(query));
      } else {
        workspace_.kernels().attend(c);
      }
      for (std::int64_t i = 0; i < c.queries; ++i) merge(total, query + i, later, i);
    });
  }
}

/// Adds a query's result of one chunk to that of the earlier ones; a sum of zero says there is none yet.
void Attention::merge(const Partial& earlier, std::int64_t query, const Partial& later,
                      std::int64_t later_query) const {
  const std::int64_t columns = cache_.value_columns();
  float* out = earlier.out + query * columns;
  const float* later_out = later.out + later_query * columns;
  if (earlier.sum[query] == 0.0F) {
    earlier.maximum[query] = later.maximum[later_query];
    earlier.sum[query] = later.sum[later_query];
    std::copy(later_out, later_out + columns, out);
    return;
  }
  workspace_.kernels().merge(earlier.maximum + query, earlier.sum + query, out, later.maximum[later_query],
                             later.sum[later_query], later_out, columns);
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
  const std::int64_t units = kv_heads * n_chunks;
  const Partial own = partial(workspace_.local(worker), heads_per_kv_);
  const auto make = [&](std::int64_t unit) {
    const std::int64_t next = std::min(unit + 1, units - 1);
    const auto take = [&](AttentionChunk& c, std::int64_t query) {
      place(c, own, query);
      c.next = cache_.keys(next / n_chunks, (span.first + next % n_chunks) * kChunk);
      c.next_bytes = last_seen(position, span.first + next % n_chunks) * cache_.key_bytes();
      workspace_.kernels().attend(c);
    };
    attend(unit / n_chunks, span.first + unit % n_chunks, position - token, token, 1, take);
  };
  worker.for_each(units, make, [&](std::int64_t unit) {
    const Partial kept = result(unit / n_chunks, unit % n_chunks);
    std::memcpy(kept.maximum, own.maximum, static_cast<std::size_t>(partial_bytes(heads_per_kv_)));
  });
  worker.for_each(kv_heads, [&](std::int64_t kv_head) {
    const Partial total = result(kv_head, 0);
    for (std::int64_t chunk = 1; chunk < n_chunks; ++chunk) {
      for (std::int64_t query = 0; query < heads_per_kv_; ++query) merge(total, query, result(kv_head, chunk), query);
    }
    finish(total, kv_head, token, 1);
  });
}

}  // namespace harness
