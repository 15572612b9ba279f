// What a file says about the scales of one row, put where a packed group of 16 rows has them; see kernels/store.h.
// Joined to the packer (pack.cpp), where the layout is known as it is compiled.
#pragma once
#include <cstdint>
#include <cstring>

#include "formats/decoders.h"
#include "formats/format.h"
#include "formats/half.h"
#include "formats/k_scales.h"
#include "kernels/inline.h"
#include "kernels/store.h"

namespace harness {

/// Where one row's scales go in a strip; blocks are counted from the strip's first.
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

inline constexpr std::uint16_t kHalfSign = 0x8000;

/// A super-block of 256 weights and which block of 32 in it is meant.
struct Place {
  const std::uint8_t* super;
  int within;

  Place(const FormatInfo& format, const std::uint8_t* row, std::int64_t b)
      : super(row + format.row_header_bytes + b / 8 * format.block_bytes), within(static_cast<int>(b % 8)) {}

  /// Nibble `group` of the byte that the block has at `offset`.
  int nibble(int offset, int group) const { return super[offset + within] >> (4 * group) & 15; }
  /// The block's nibble at `offset`, two blocks to a byte.
  int nibble_of_block(int offset) const { return super[offset + within / 2] >> (4 * (within % 2)) & 15; }
  /// The bit of one of sixteen groups in the word at `offset`.
  int bit(int offset, int group) const { return load_u16(super + offset) >> (2 * within + group) & 1; }
};

/// The byte of a scale that chooses tables.
INLINE int with_tables(Store store, int scale, int first, int second) {
  const TableChoice choice = tables_of(store);
  return (scale + choice.minus) | first << choice.first | second << choice.second;
}

/// IQ1_M: d in the top nibbles of four words.
INLINE std::uint16_t gathered_half(const std::uint8_t* words) {
  unsigned half = 0;
  for (int i = 0; i < 4; ++i) half |= static_cast<unsigned>(load_u16(words + 2 * i)) >> 12 << (4 * i);
  return static_cast<std::uint16_t>(half);
}

/// IQ4_KSS: the byte of IQ4_KS in the lowest bits of eight words.
INLINE int hidden_byte(const std::uint8_t* words) {
  int byte = 0;
  for (int i = 0; i < 8; ++i) byte |= (words[2 * i] & 1) << i;
  return byte;
}

/// Formats of 32-blocks, which begin with what is wanted.
INLINE void pack_plain(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t b, std::int64_t at,
                       const ScaleLane& to) {
  const std::uint8_t* block = row + b * format.block_bytes;
  if (store == Store::mxfp4) return to.put_byte(to.scales + at * 16, block[0]);
  if (!format.has_minimum) return to.put_half(to.scales + at * 32, load_u16(block));
  to.put_half(to.scales + at * 64, load_u16(block));
  to.put_half(to.scales + at * 64 + 32, load_u16(block + 2) ^ kHalfSign);
}

/// Formats of 256-blocks with a scale for every 32 weights: `scale` as store.h wants it, d at `d`.
INLINE void pack_one(const Place& from, int d, int scale, std::int64_t at, const ScaleLane& to) {
  to.put_super(at, 1, 0, load_u16(from.super + d));
  to.put_byte(to.scales + at * 16, scale);
}

/// The same with a scale for every 16: scale(group).
template <class ScaleOf>
INLINE void pack_two(std::uint16_t d, ScaleOf scale, std::int64_t at, const ScaleLane& to) {
  to.put_super(at, 1, 0, d);
  for (int g = 0; g < 2; ++g) to.put_byte(to.scales + (at * 2 + g) * 16, scale(g));
}

/// The scales of block `b` of a row, and what its super-block or row has in common.
INLINE void pack_scales(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t b,
                        const ScaleLane& to) {
  const std::int64_t at = b % kStripBlocks;
  if (format.block == kBlock) return pack_plain(format, store, row, b, at, to);
  const Place from(format, row, b);
  const std::uint8_t* super = from.super;
  const int within = from.within;
  switch (store) {
    case Store::none:
    case Store::mxfp4:
    case Store::q4_0:
    case Store::q4_1:
    case Store::q5_0:
    case Store::q5_1:
    case Store::q8_0:
    case Store::iq4_nl:
      return;
    case Store::q2_k:
      to.put_super(at, 2, 0, load_u16(super + 80));
      to.put_super(at, 2, 1, load_u16(super + 82));
      for (int g = 0; g < 2; ++g) to.put_byte(to.scales + (at * 2 + g) * 16, super[2 * within + g]);
      return;
    case Store::q3_k: {
      const auto scale = [&](int g) {
        const int index = 2 * within + g;
        const int low = super[96 + index % 8] >> (4 * (index / 8)) & 15;
        return (low | (super[104 + index % 4] >> (2 * (index / 4)) & 3) << 4) - 32;
      };
      return pack_two(load_u16(super + 108), scale, at, to);
    }
    case Store::q4_k:
    case Store::q5_k: {
      const ScaleAndMinimum both = k_scale(super + 4, within);
      to.put_super(at, 2, 0, load_u16(super));
      to.put_super(at, 2, 1, load_u16(super + 2));
      to.put_byte(to.scales + at * 32, both.scale);
      return to.put_byte(to.scales + at * 32 + 16, both.minimum);
    }
    case Store::q6_k:
      return pack_two(load_u16(super + 208), [&](int g) { return super[192 + 2 * within + g]; }, at, to);
    case Store::iq1_s: {  // d * (2 scale + 1) / 8; a set bit subtracts
      const int word = load_u16(super + 34 + 2 * within);
      const int plus = 1 - (word >> 15);
      return pack_one(from, 0, with_tables(store, 2 * (word >> 12 & 7) + 1, plus, plus), at, to);
    }
    case Store::iq1_m: {
      const int word = load_u16(super + 48 + within / 2 * 2) >> (6 * (within % 2));
      const auto scale = [&](int g) {
        const int minus = super[32 + 2 * within + g];
        return with_tables(store, 2 * (word >> (3 * g) & 7) + 1, 1 - (minus >> 3 & 1), 1 - (minus >> 7));
      };
      return pack_two(gathered_half(super + 48), scale, at, to);
    }
    case Store::iq2_xxs:
    case Store::iq2_xxs_small:  // d * (0.5 + scale) / 4 = d / 8 * (2 scale + 1)
      return pack_one(from, 0, 2 * static_cast<int>(load_u32(super + 6 + within * 8) >> 28) + 1, at, to);
    case Store::iq2_xs:
      return pack_two(load_u16(super), [&](int g) { return 2 * from.nibble(format.block_bytes - 8, g) + 1; }, at, to);
    case Store::iq2_k: {
      const auto scale = [&](int g) {
        return with_tables(store, from.nibble(4, g) - 8, from.bit(2, g), from.bit(2, g));
      };
      return pack_two(load_u16(super), scale, at, to);
    }
    case Store::iq2_ks: {
      const int scale = (from.nibble_of_block(2) | (super[1] >> within & 1) << 4) - 16;
      const int table = super[0] >> within & 1;
      to.put_float(load_half(row));
      return to.put_byte(to.scales + at * 16, with_tables(store, scale, table, table));
    }
    case Store::iq3_xxs:  // d * (0.5 + scale) / 2 = d / 4 * (2 scale + 1)
      return pack_one(from, 0, 2 * static_cast<int>(load_u32(super + 66 + within * 4) >> 28) + 1, at, to);
    case Store::iq3_s:
      return pack_one(from, 0, 2 * from.nibble_of_block(106) + 1, at, to);
    case Store::iq3_k: {
      const auto scale = [&](int g) {
        const int size = 2 * from.nibble(6, g) + 1;
        return with_tables(store, from.bit(4, g) != 0 ? -size : size, from.bit(2, g), from.bit(2, g));
      };
      return pack_two(load_u16(super), scale, at, to);
    }
    case Store::iq4_xs: {
      const int high = load_u16(super + 2) >> (2 * within) & 3;
      return pack_one(from, 0, (from.nibble_of_block(4) | high << 4) - 32, at, to);
    }
    case Store::iq4_k:
    case Store::iq5_k: {
      const int high = from.nibble_of_block(4);
      const auto scale = [&](int g) {
        const int bits = from.nibble(8, g) | (high >> (2 * g) & 3) << 4;
        return with_tables(store, bits - 32, from.bit(2, g), from.bit(2, g));
      };
      return pack_two(load_u16(super), scale, at, to);
    }
    case Store::iq4_ks:
      to.put_float(load_float(row));
      return to.put_byte(to.scales + at * 16,
                         format.decode == decode_iq4_kss ? hidden_byte(super + 16 * within) : super[within]);
  }
}

}  // namespace harness
