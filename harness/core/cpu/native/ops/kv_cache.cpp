#include "ops/kv_cache.h"

namespace harness {

KvCache::KvCache(const KvExtent& extent)
    : extent_(extent),
      value_columns_((extent.head_dim_v + 15) / 16 * 16),
      keys_(static_cast<std::size_t>(extent.heads * extent.positions * extent.head_dim) * 2),
      values_(static_cast<std::size_t>(extent.heads * extent.positions * value_columns_) * 2) {}

void KvCache::store_key(std::int64_t head, std::int64_t position, const std::uint16_t* key) {
  const std::int64_t tile = position / 16 * 16;
  std::uint16_t* at = keys_.as<std::uint16_t>() + (head * extent_.positions + tile) * extent_.head_dim + position % 16;
  for (int d = 0; d < extent_.head_dim; ++d) at[d * 16] = key[d];
}

}  // namespace harness
