#include "ops/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "formats/half.h"

namespace harness {
namespace {

constexpr std::int64_t kTile = 16;                               // positions
constexpr std::int64_t kTileBlock = kTile * (kBlock + 2);        // bytes of 32 columns of a tile, q8_0
constexpr std::int64_t kScales = kTile * sizeof(std::uint16_t);  // of them, in front

/// Quantises `columns` numbers and hands over each block: (first byte of its tile's block, codes). The scale is placed.
template <class Place>
void quantised(const Kernels& kernels, const float* x, std::int64_t columns, std::int64_t lane, std::uint8_t* tile,
               std::uint8_t* scratch, const Place& place) {
  auto* scales = reinterpret_cast<float*>(scratch);
  auto* codes = reinterpret_cast<std::int8_t*>(scales + columns / kBlock);
  kernels.quantise(x, columns, codes, scales);
  for (std::int64_t block = 0; block < columns / kBlock; ++block, tile += kTileBlock) {
    const std::uint16_t scale = float_to_half(scales[block]);
    std::memcpy(tile + lane * 2, &scale, sizeof scale);
    place(reinterpret_cast<std::int8_t*>(tile + kScales), codes + block * kBlock);
  }
}

}  // namespace

KvCache::KvCache(const KvExtent& extent)
    : extent_(extent),
      value_columns_((extent.head_dim_v + 15) / 16 * 16),
      keys_(static_cast<std::size_t>(extent.heads * extent.positions * key_bytes())),
      values_(static_cast<std::size_t>(extent.heads * extent.positions * value_bytes())) {}

std::int64_t KvCache::scratch_bytes() const {
  const std::int64_t columns = std::max(extent_.head_dim, extent_.head_dim_v);
  return columns * 2;  // float16, or codes with a float scale for every 32
}

void KvCache::store_key(const Kernels& kernels, std::int64_t head, std::int64_t position, const float* key,
                        std::uint8_t* scratch) {
  const std::int64_t lane = position % kTile;
  std::uint8_t* tile = keys_.as() + (head * extent_.positions + position - lane) * key_bytes();
  if (extent_.type_k == KvType::q8_0) {
    quantised(kernels, key, extent_.head_dim, lane, tile, scratch, [&](std::int8_t* to, const std::int8_t* codes) {
      for (int d = 0; d < kBlock; ++d) to[d * kTile + lane] = codes[d];
    });
    return;
  }
  auto* half = reinterpret_cast<std::uint16_t*>(scratch);
  kernels.to_half(key, extent_.head_dim, half);
  auto* at = reinterpret_cast<std::uint16_t*>(tile) + lane;
  for (int d = 0; d < extent_.head_dim; ++d) at[d * kTile] = half[d];
}

void KvCache::store_value(const Kernels& kernels, std::int64_t head, std::int64_t position, const float* value,
                          std::uint8_t* scratch) {
  const std::int64_t lane = position % kTile;
  std::uint8_t* tile = values_.as() + (head * extent_.positions + position - lane) * value_bytes();
  if (extent_.type_v == KvType::q8_0) {
    quantised(kernels, value, extent_.head_dim_v, lane, tile, scratch,
              [&](std::int8_t* to, const std::int8_t* codes) { std::memcpy(to + lane * kBlock, codes, kBlock); });
    return;
  }
  kernels.to_half(value, extent_.head_dim_v, reinterpret_cast<std::uint16_t*>(tile + lane * value_bytes()));
}

}  // namespace harness
