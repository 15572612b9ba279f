#include "weights/pack.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "formats/grids.h"
#include "formats/half.h"
#include "weights/scales.h"

namespace harness {
namespace {

/// The stored number of each code, by code + 128.
std::array<std::uint8_t, 256> indices_of(const FormatInfo& format, Store store) {
  std::array<std::uint8_t, 256> indices{};
  const LookupTable table = lookup_of(store);
  for (int code = -128; code < 128; ++code) {
    auto& index = indices[static_cast<std::size_t>(code + 128)];
    if (!store_shape(store).lookup) {
      index = static_cast<std::uint8_t>(code + format.bias);
      continue;
    }
    const int shift = tables_of(store).shift;  // no number of one table is in the other
    for (int i = 31; i >= 0; --i) {
      const int larger = table.values[i] + shift;
      if (table.values[i] == code + format.bias || larger == code + format.bias) index = static_cast<std::uint8_t>(i);
    }
  }
  return indices;
}

const std::array<std::uint8_t, 256>& indices_for(Store store) {
  static const auto all = [] {
    std::array<std::array<std::uint8_t, 256>, kStores> tables{};
    for (const FormatInfo& known : formats()) {
      if (const Store which = store_of(known); which != Store::none) {
        tables[static_cast<std::size_t>(which)] = indices_of(known, which);
      }
    }
    return tables;
  }();
  return all[static_cast<std::size_t>(store)];
}

constexpr std::uint32_t kNibbles = 0x0f0f0f0fU;
constexpr std::uint32_t kPairs = 0x03030303U;
constexpr std::uint32_t kBits = 0x01010101U;

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
  } else if constexpr (planes == Planes::pairs_sign) {
    return {{pairs_of(w, 0), pairs_of(w + 4, 0), bits_of(w, 2)}};
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

/// Whether a layout's numbers are the file's own bits.
constexpr bool has_own_bits(Store store) {
  switch (store) {
    case Store::mxfp4:
    case Store::q4_0:
    case Store::q4_1:
    case Store::q8_0:
    case Store::q2_k:
    case Store::q4_k:
    case Store::q5_k:
    case Store::q6_k:
    case Store::iq4_nl:
    case Store::iq4_xs:
    case Store::iq4_k:
      return true;
    default:
      return false;
  }
}

/// The stored numbers of block `b` of a row: the file's own bits, or 128 more than a signed byte. They are taken four
/// at a time and never decoded: packing should cost no more than moving the bytes.
template <Store store>
Dwords own_numbers(const std::uint8_t* row, std::int64_t b) {
  const int within = static_cast<int>(b % 8);
  if constexpr (store == Store::iq4_nl) return nibbles(row + b * 18 + 2);
  if constexpr (store == Store::iq4_xs) return nibbles(row + b / 8 * 136 + 8 + within * 16);
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

/// Stored numbers of formats whose codes are not the file's bits: decoded, some blocks at a time.
class DecodedNumbers {
 public:
  DecodedNumbers(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t blocks)
      : format_(format), indices_(indices_for(store)), row_(row), blocks_(blocks) {}

  /// Of block `b`; blocks are asked for in their order.
  Dwords of(std::int64_t b) {
    if (b % kAtOnce == 0) format_.decode(row_, b, std::min(kAtOnce, blocks_ - b), codes_, scales_, minimums_);
    Dwords found;
    for (int j = 0; j < 8; ++j) {  // put together here, as reading what was just written by bytes takes long
      found.of[j] = 0;
      for (int i = 0; i < 4; ++i) {
        const auto code = static_cast<std::uint8_t>(codes_[b % kAtOnce * kBlock + 4 * j + i] + 128);
        found.of[j] |= std::uint32_t{indices_[code]} << (8 * i);
      }
    }
    return found;
  }

 private:
  static constexpr std::int64_t kAtOnce = 8;
  const FormatInfo& format_;
  const std::array<std::uint8_t, 256>& indices_;
  const std::uint8_t* row_;
  std::int64_t blocks_;
  std::int8_t codes_[kAtOnce * kBlock];
  float scales_[kAtOnce * 2];
  float minimums_[kAtOnce * 2];
};

template <Store store>
void pack_row_as(const FormatInfo& format, const std::uint8_t* row, std::int64_t blocks, std::uint8_t* group,
                 int lane) {
  constexpr Planes planes = store_shape(store).planes;
  [[maybe_unused]] DecodedNumbers decoded(format, store, row, blocks);
  ScaleLane to{group, nullptr, nullptr, lane};
  std::uint8_t* body = nullptr;
  for (std::int64_t b = 0; b < blocks; ++b, body += body_bytes(planes)) {
    if (b % kStripBlocks == 0) {
      const StripExtent extent = strip_extent(store, std::min(kStripBlocks, blocks - b));
      to.supers = group + strip_start(store, b);
      to.scales = to.supers + extent.scales;
      body = to.supers + extent.body + lane * 4;
    }
    pack_scales(format, store, row, b, to);
    Dwords dwords;
    if constexpr (store == Store::iq2_xxs) {
      dwords = entry_planes(row + b / 8 * 66 + 2 + b % 8 * 8, entry_tables());
    } else if constexpr (store == Store::iq2_xxs_small) {
      dwords = entries(row + b / 8 * 66 + 2 + b % 8 * 8);
    } else if constexpr (has_own_bits(store)) {
      dwords = planes_of<planes>(own_numbers<store>(row, b));
    } else if (store == Store::iq4_ks && format.decode != decode_iq4_kss) {
      dwords = planes_of<planes>(nibbles(row + format.row_header_bytes + b / 8 * 136 + 8 + b % 8 * 16));
    } else {
      dwords = planes_of<planes>(decoded.of(b));
    }
    for (int j = 0; j < body_bytes(planes) / 64; ++j) std::memcpy(body + j * 64, &dwords.of[j], sizeof dwords.of[j]);
  }
}

}  // namespace

void pack_row(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t blocks, std::uint8_t* group,
              int lane) {
  switch (store) {
    case Store::none:
      return;
    case Store::mxfp4:
      return pack_row_as<Store::mxfp4>(format, row, blocks, group, lane);
    case Store::q4_0:
      return pack_row_as<Store::q4_0>(format, row, blocks, group, lane);
    case Store::q4_1:
      return pack_row_as<Store::q4_1>(format, row, blocks, group, lane);
    case Store::q5_0:
      return pack_row_as<Store::q5_0>(format, row, blocks, group, lane);
    case Store::q5_1:
      return pack_row_as<Store::q5_1>(format, row, blocks, group, lane);
    case Store::q8_0:
      return pack_row_as<Store::q8_0>(format, row, blocks, group, lane);
    case Store::q2_k:
      return pack_row_as<Store::q2_k>(format, row, blocks, group, lane);
    case Store::q3_k:
      return pack_row_as<Store::q3_k>(format, row, blocks, group, lane);
    case Store::q4_k:
      return pack_row_as<Store::q4_k>(format, row, blocks, group, lane);
    case Store::q5_k:
      return pack_row_as<Store::q5_k>(format, row, blocks, group, lane);
    case Store::q6_k:
      return pack_row_as<Store::q6_k>(format, row, blocks, group, lane);
    case Store::iq1_s:
      return pack_row_as<Store::iq1_s>(format, row, blocks, group, lane);
    case Store::iq1_m:
      return pack_row_as<Store::iq1_m>(format, row, blocks, group, lane);
    case Store::iq2_xxs:
      return pack_row_as<Store::iq2_xxs>(format, row, blocks, group, lane);
    case Store::iq2_xxs_small:
      return pack_row_as<Store::iq2_xxs_small>(format, row, blocks, group, lane);
    case Store::iq2_xs:
      return pack_row_as<Store::iq2_xs>(format, row, blocks, group, lane);
    case Store::iq2_k:
      return pack_row_as<Store::iq2_k>(format, row, blocks, group, lane);
    case Store::iq2_ks:
      return pack_row_as<Store::iq2_ks>(format, row, blocks, group, lane);
    case Store::iq3_xxs:
      return pack_row_as<Store::iq3_xxs>(format, row, blocks, group, lane);
    case Store::iq3_s:
      return pack_row_as<Store::iq3_s>(format, row, blocks, group, lane);
    case Store::iq3_k:
      return pack_row_as<Store::iq3_k>(format, row, blocks, group, lane);
    case Store::iq4_nl:
      return pack_row_as<Store::iq4_nl>(format, row, blocks, group, lane);
    case Store::iq4_xs:
      return pack_row_as<Store::iq4_xs>(format, row, blocks, group, lane);
    case Store::iq4_k:
      return pack_row_as<Store::iq4_k>(format, row, blocks, group, lane);
    case Store::iq4_ks:
      return pack_row_as<Store::iq4_ks>(format, row, blocks, group, lane);
    case Store::iq5_k:
      return pack_row_as<Store::iq5_k>(format, row, blocks, group, lane);
  }
}

}  // namespace harness
