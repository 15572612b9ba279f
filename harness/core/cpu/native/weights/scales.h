// What a file says about the scales of one row, put where a packed group of 16 rows has them; see kernels/store.h.
#pragma once
#include <cstdint>
#include <cstring>

#include "formats/format.h"
#include "kernels/store.h"

namespace harness {

/// Where one row's scales go in a group.
struct ScaleLane {
  std::uint8_t* rows;
  std::uint8_t* supers;
  std::uint8_t* scales;
  int lane;

  void put_float(float value) const { std::memcpy(rows + 4 * lane, &value, sizeof value); }
  void put_half(std::uint8_t* base, std::uint16_t half) const { std::memcpy(base + 2 * lane, &half, sizeof half); }
  void put_byte(std::uint8_t* base, int byte) const { base[lane] = static_cast<std::uint8_t>(byte); }
  void put_super(std::int64_t block, int n, int which, std::uint16_t half) const {
    put_half(supers + (block / 8 * n + which) * 32, half);
  }
};

/// The scales of block `b` of a row, and what its super-block or row has in common.
void pack_scales(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t b, const ScaleLane& to);

}  // namespace harness
