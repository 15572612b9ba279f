#include "weights/pack.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "formats/grids.h"
#include "formats/half.h"
#include "formats/k_scales.h"

namespace harness {
namespace {

constexpr std::uint16_t kHalfSign = 0x8000;
constexpr std::uint32_t kNibbles = 0x0f0f0f0fU;
constexpr std::uint32_t kPairs = 0x03030303U;
constexpr std::uint32_t kBits = 0x01010101U;

/// Where one row's scales go in a group.
struct Lane {
  std::uint8_t* supers;
  std::uint8_t* scales;
  int lane;

  void put_half(std::uint8_t* base, std::uint16_t half) const { std::memcpy(base + 2 * lane, &half, sizeof half); }
  void put_byte(std::uint8_t* base, int byte) const { base[lane] = static_cast<std::uint8_t>(byte); }
  void put_super(std::int64_t block, int n, int which, std::uint16_t half) const {
    put_half(supers + (block / 8 * n + which) * 32, half);
  }
};

/// What the file says about the scales of block `b`, as store.h wants it.
void pack_scales(Store store, const std::uint8_t* row, std::int64_t b, const Lane& to) {
  const int within = static_cast<int>(b % 8);
  switch (store) {
    case Store::none:
      return;
    case Store::mxfp4:
      return to.put_byte(to.scales + b * 16, row[b * 17]);
    case Store::q4_0:
      return to.put_half(to.scales + b * 32, load_u16(row + b * 18));
    case Store::q8_0:
      return to.put_half(to.scales + b * 32, load_u16(row + b * 34));
    case Store::q4_1:
      to.put_half(to.scales + b * 64, load_u16(row + b * 20));
      return to.put_half(to.scales + b * 64 + 32, load_u16(row + b * 20 + 2) ^ kHalfSign);
    case Store::q2_k: {
      const std::uint8_t* block = row + b / 8 * 84;
      to.put_super(b, 2, 0, load_u16(block + 80));
      to.put_super(b, 2, 1, load_u16(block + 82));
      for (int g = 0; g < 2; ++g) to.put_byte(to.scales + (b * 2 + g) * 16, block[2 * within + g]);
      return;
    }
    case Store::q4_k:
    case Store::q5_k: {
      const std::uint8_t* block = row + b / 8 * (store == Store::q4_k ? 144 : 176);
      const ScaleAndMinimum both = k_scale(block + 4, within);
      to.put_super(b, 2, 0, load_u16(block));
      to.put_super(b, 2, 1, load_u16(block + 2));
      to.put_byte(to.scales + b * 32, both.scale);
      return to.put_byte(to.scales + b * 32 + 16, both.minimum);
    }
    case Store::q6_k: {
      const std::uint8_t* block = row + b / 8 * 210;
      to.put_super(b, 1, 0, load_u16(block + 208));
      for (int g = 0; g < 2; ++g) to.put_byte(to.scales + (b * 2 + g) * 16, block[192 + 2 * within + g]);
      return;
    }
    case Store::iq2_xxs:
    case Store::iq2_xxs_small: {  // d * (0.5 + scale) / 4 = d / 8 * (2 scale + 1)
      const std::uint8_t* block = row + b / 8 * 66;
      to.put_super(b, 1, 0, load_u16(block));
      return to.put_byte(to.scales + b * 16, static_cast<int>(load_u32(block + 6 + within * 8) >> 28) * 2 + 1);
    }
    case Store::iq4_k: {
      const std::uint8_t* block = row + b / 8 * 144;
      to.put_super(b, 1, 0, load_u16(block));
      const int tables = load_u16(block + 2) >> (2 * within);
      const int high = block[4 + within / 2] >> (4 * (within % 2));
      for (int g = 0; g < 2; ++g) {
        const int scale = (block[8 + within] >> (4 * g) & 15) | (high >> (2 * g) & 3) << 4;
        to.put_byte(to.scales + (b * 2 + g) * 16, scale | (tables >> g & 1) << 7);
      }
      return;
    }
  }
}

/// Bits BIT .. of each byte of four dwords, side by side.
std::uint32_t pairs_of(const std::uint32_t* w, int bit) {
  std::uint32_t packed = 0;
  for (int s = 0; s < 4; ++s) packed |= (w[s] >> bit & kPairs) << (2 * s);
  return packed;
}

std::uint32_t bits_of(const std::uint32_t* w, int bit) {
  std::uint32_t packed = 0;
  for (int j = 0; j < 8; ++j) packed |= (w[j] >> bit & kBits) << j;
  return packed;
}

/// What one row has in a block of the body: its dword of each of the planes' vectors.
struct Dwords {
  std::uint32_t of[8];
};

/// One block's 32 stored numbers, eight dwords of four, by planes.
template <Planes planes>
Dwords planes_of(const Dwords& numbers) {
  const std::uint32_t* w = numbers.of;
  if constexpr (planes == Planes::pairs) {
    return {{pairs_of(w, 0), pairs_of(w + 4, 0)}};
  } else if constexpr (planes == Planes::nibbles || planes == Planes::nibbles_bit || planes == Planes::nibbles_pair) {
    Dwords packed{};
    for (int j = 0; j < 4; ++j) packed.of[j] = (w[j] & kNibbles) | (w[j + 4] & kNibbles) << 4;
    if constexpr (planes == Planes::nibbles_bit) packed.of[4] = bits_of(w, 4);
    if constexpr (planes == Planes::nibbles_pair) {
      packed.of[4] = pairs_of(w, 4);
      packed.of[5] = pairs_of(w + 4, 4);
    }
    return packed;
  } else {
    static_assert(planes == Planes::bytes, "these planes are made from a codebook's entries");
    return numbers;
  }
}

/// 32 bytes, shifted and masked alike.
Dwords shifted(const std::uint8_t* bytes, int shift, std::uint32_t mask) {
  Dwords found;
  for (int j = 0; j < 8; ++j) found.of[j] = load_u32(bytes + 4 * j) >> shift & mask;
  return found;
}

/// 16 bytes of nibbles: the low ones, then the high ones.
Dwords nibbles(const std::uint8_t* bytes) {
  Dwords found;
  for (int j = 0; j < 4; ++j) {
    found.of[j] = load_u32(bytes + 4 * j) & kNibbles;
    found.of[j + 4] = load_u32(bytes + 4 * j) >> 4 & kNibbles;
  }
  return found;
}

Dwords joined(const Dwords& low, const Dwords& high, int shift) {
  Dwords found;
  for (int j = 0; j < 8; ++j) found.of[j] = low.of[j] | high.of[j] << shift;
  return found;
}

/// The stored numbers of block `b` of a row: the file's own bits, or 128 more than a signed byte. They are taken four
/// at a time and never decoded: packing should cost no more than moving the bytes.
template <Store store>
Dwords numbers_of(const std::uint8_t* row, std::int64_t b) {
  const int within = static_cast<int>(b % 8);
  if constexpr (store == Store::mxfp4) return nibbles(row + b * 17 + 1);
  if constexpr (store == Store::q4_0) return nibbles(row + b * 18 + 2);
  if constexpr (store == Store::q4_1) return nibbles(row + b * 20 + 4);
  if constexpr (store == Store::iq4_k) return nibbles(row + b / 8 * 144 + 16 + within * 16);
  if constexpr (store == Store::q8_0) {
    Dwords found = shifted(row + b * 34 + 2, 0, ~0U);
    for (std::uint32_t& dword : found.of) dword ^= 0x80808080U;
    return found;
  }
  if constexpr (store == Store::q2_k) {
    return shifted(row + b / 8 * 84 + 16 + within / 4 * 32, 2 * (within % 4), kPairs);
  }
  if constexpr (store == Store::q4_k) {
    return shifted(row + b / 8 * 144 + 16 + within / 2 * 32, 4 * (within % 2), kNibbles);
  }
  if constexpr (store == Store::q5_k) {
    const std::uint8_t* block = row + b / 8 * 176;
    const Dwords low = shifted(block + 48 + within / 2 * 32, 4 * (within % 2), kNibbles);
    return joined(low, shifted(block + 16, within, kBits), 4);
  }
  if constexpr (store == Store::q6_k) {
    const std::uint8_t* block = row + b / 8 * 210 + within / 4 * 64;
    const Dwords low = shifted(block + within % 2 * 32, within % 4 / 2 * 4, kNibbles);
    return joined(low, shifted(block + 128 - within / 4 * 32, 2 * (within % 4), kPairs), 4);
  }
}

/// What IQ2_XXS's planes `pairs_sign` have of one codebook entry: its even places side by side in the low byte, its odd
/// ones in the high byte.
struct EntryTables {
  std::uint16_t levels[256];  // two bits a place
  std::uint16_t signs[128];   // one bit a place, four in a byte
};

const EntryTables& entry_tables() {
  static const EntryTables made = [] {
    EntryTables tables{};
    for (int i = 0; i < 256; ++i) {
      for (int k = 0; k < 8; ++k) {
        const int level = kGridIq2Xxs[i][k] == 8 ? 0 : kGridIq2Xxs[i][k] == 25 ? 1 : 2;
        tables.levels[i] = static_cast<std::uint16_t>(tables.levels[i] | level << (k % 2 * 8 + k / 2 * 2));
      }
    }
    for (std::uint32_t i = 0; i < 128; ++i) {
      for (int k = 0; k < 8; ++k) {
        const int sign = sign_bits(i) >> k & 1;
        tables.signs[i] = static_cast<std::uint16_t>(tables.signs[i] | sign << (k % 2 * 8 + k / 2));
      }
    }
    return tables;
  }();
  return made;
}

/// In Order::pairs a dword has two bytes of each of two entries, so a plane's dword is those of two entries, side by
/// side, and the signs of entries 2 and 3 stand above those of 0 and 1.
Dwords entry_planes(const std::uint8_t* indices, const EntryTables& tables) {
  const std::uint32_t word = load_u32(indices + 4);
  const auto pair = [&](int i) -> std::uint32_t {
    return tables.levels[indices[i]] | std::uint32_t{tables.levels[indices[i + 1]]} << 16;
  };
  const auto sign = [&](int i) -> std::uint32_t { return tables.signs[word >> (7 * i) & 127U]; };
  return {{pair(0), pair(2), sign(0) | sign(2) << 4 | (sign(1) | sign(3) << 4) << 16}};
}

/// Indices as they are, signs completed to eight bits.
Dwords entries(const std::uint8_t* indices) {
  const std::uint32_t word = load_u32(indices + 4);
  std::uint32_t signs = 0;
  for (int i = 0; i < 4; ++i) signs |= std::uint32_t{sign_bits(word >> (7 * i) & 127U)} << (8 * i);
  return {{load_u32(indices), signs}};
}

template <Store store>
void pack_row_as(const std::uint8_t* row, std::int64_t blocks, std::uint8_t* group, int lane) {
  constexpr Planes planes = store_shape(store).planes;
  const StoreExtent extent = store_extent(store, blocks);
  const Lane to{group, group + extent.scales, lane};
  std::uint8_t* body = group + extent.body + lane * 4;
  for (std::int64_t b = 0; b < blocks; ++b, body += body_bytes(planes)) {
    pack_scales(store, row, b, to);
    Dwords dwords;
    if constexpr (store == Store::iq2_xxs) {
      dwords = entry_planes(row + b / 8 * 66 + 2 + b % 8 * 8, entry_tables());
    } else if constexpr (store == Store::iq2_xxs_small) {
      dwords = entries(row + b / 8 * 66 + 2 + b % 8 * 8);
    } else {
      dwords = planes_of<planes>(numbers_of<store>(row, b));
    }
    for (int j = 0; j < body_bytes(planes) / 64; ++j) std::memcpy(body + j * 64, &dwords.of[j], sizeof dwords.of[j]);
  }
}

}  // namespace

void pack_row(Store store, const std::uint8_t* row, std::int64_t blocks, std::uint8_t* group, int lane) {
  switch (store) {
    case Store::none:
      return;
    case Store::mxfp4:
      return pack_row_as<Store::mxfp4>(row, blocks, group, lane);
    case Store::q4_0:
      return pack_row_as<Store::q4_0>(row, blocks, group, lane);
    case Store::q4_1:
      return pack_row_as<Store::q4_1>(row, blocks, group, lane);
    case Store::q8_0:
      return pack_row_as<Store::q8_0>(row, blocks, group, lane);
    case Store::q2_k:
      return pack_row_as<Store::q2_k>(row, blocks, group, lane);
    case Store::q4_k:
      return pack_row_as<Store::q4_k>(row, blocks, group, lane);
    case Store::q5_k:
      return pack_row_as<Store::q5_k>(row, blocks, group, lane);
    case Store::q6_k:
      return pack_row_as<Store::q6_k>(row, blocks, group, lane);
    case Store::iq2_xxs:
      return pack_row_as<Store::iq2_xxs>(row, blocks, group, lane);
    case Store::iq4_k:
      return pack_row_as<Store::iq4_k>(row, blocks, group, lane);
    case Store::iq2_xxs_small:
      return pack_row_as<Store::iq2_xxs_small>(row, blocks, group, lane);
  }
}

}  // namespace harness
