// Keys and values of one layer, float16.
// Keys lie in tiles of 16 positions, transposed ([head][tile][head_dim][16]), so that attention's lanes are keys;
// values lie position by position ([head][position][columns], columns padded to 16).
#pragma once
#include <cstdint>

#include "base/memory.h"

namespace harness {

struct KvExtent {
  std::int64_t heads;
  std::int64_t positions;  // a multiple of 16
  int head_dim;
  int head_dim_v;
  int window;
};

class KvCache {
 public:
  explicit KvCache(const KvExtent& extent);

  const KvExtent& extent() const { return extent_; }
  int value_columns() const { return value_columns_; }

  /// Keys from `position` (a multiple of 16) on.
  const std::uint16_t* keys(std::int64_t head, std::int64_t position) const {
    return keys_.as<std::uint16_t>() + (head * extent_.positions + position) * extent_.head_dim;
  }
  const std::uint16_t* values(std::int64_t head, std::int64_t position) const {
    return values_.as<std::uint16_t>() + (head * extent_.positions + position) * value_columns_;
  }
  void store_key(std::int64_t head, std::int64_t position, const std::uint16_t* key);
  /// Where the value of a position goes.
  std::uint16_t* value(std::int64_t head, std::int64_t position) {
    return values_.as<std::uint16_t>() + (head * extent_.positions + position) * value_columns_;
  }

 private:
  KvExtent extent_;
  int value_columns_;
  Buffer keys_;
  Buffer values_;
};

}  // namespace harness
