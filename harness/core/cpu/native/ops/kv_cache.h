// Keys and values of one layer, each as float16 or as q8_0.
// Both lie in tiles of 16 positions, [head][tile][...]; kernels.h says how, at AttentionChunk. Keys are transposed in a
// tile, so that attention's lanes are keys; float16 values have their columns padded to 16.
#pragma once
#include <cstdint>

#include "base/memory.h"
#include "kernels/kernels.h"

namespace harness {

struct KvExtent {
  std::int64_t heads;
  std::int64_t positions;  // a multiple of 16
  int head_dim;
  int head_dim_v;
  int window;
  KvType type_k;
  KvType type_v;
};

class KvCache {
 public:
  explicit KvCache(const KvExtent& extent);

  const KvExtent& extent() const { return extent_; }
  int value_columns() const { return value_columns_; }

  /// Keys from `position` (a multiple of 16) on.
  const std::uint8_t* keys(std::int64_t head, std::int64_t position) const {
    return keys_.as() + (head * extent_.positions + position) * key_bytes();
  }
  const std::uint8_t* values(std::int64_t head, std::int64_t position) const {
    return values_.as() + (head * extent_.positions + position) * value_bytes();
  }

  /// `scratch` has scratch_bytes(), aligned to 4.
  void store_key(const Kernels& kernels, std::int64_t head, std::int64_t position, const float* key,
                 std::uint8_t* scratch);
  void store_value(const Kernels& kernels, std::int64_t head, std::int64_t position, const float* value,
                   std::uint8_t* scratch);
  std::int64_t scratch_bytes() const;
  std::int64_t key_bytes() const { return kv_bytes(extent_.type_k, extent_.head_dim); }

 private:
  std::int64_t value_bytes() const { return kv_bytes(extent_.type_v, value_columns_); }

  KvExtent extent_;
  int value_columns_;
  Buffer keys_;
  Buffer values_;
};

}  // namespace harness
