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

void put(std::uint8_t* body, int vector, int lane, std::uint32_t dword) {
  std::memcpy(body + vector * 64 + lane * 4, &dword, sizeof dword);
}

/// Bits BIT .. of each byte of four dwords, side by side.
std::uint32_t pairs_of(const std::uint32_t* w, int bit) {
  std::uint32_t packed = 0;
  for (int s = 0; s < 4; ++s) packed |= (w[s] >> bit & 0x03030303U) << (2 * s);
  return packed;
}

std::uint32_t bits_of(const std::uint32_t* w, int bit) {
  std::uint32_t packed = 0;
  for (int j = 0; j < 8; ++j) packed |= (w[j] >> bit & 0x01010101U) << j;
  return packed;
}

/// One block's 32 stored numbers, eight dwords, into the body's planes.
void pack_body(Planes planes, const std::uint32_t* w, std::uint8_t* body, int lane) {
  switch (planes) {
    case Planes::bytes:
      for (int j = 0; j < 8; ++j) put(body, j, lane, w[j]);
      return;
    case Planes::nibbles:
    case Planes::nibbles_bit:
    case Planes::nibbles_pair:
      for (int j = 0; j < 4; ++j) put(body, j, lane, (w[j] & 0x0f0f0f0fU) | (w[j + 4] & 0x0f0f0f0fU) << 4);
      if (planes == Planes::nibbles_bit) put(body, 4, lane, bits_of(w, 4));
      if (planes == Planes::nibbles_pair) {
        put(body, 4, lane, pairs_of(w, 4));
        put(body, 5, lane, pairs_of(w + 4, 4));
      }
      return;
    case Planes::pairs:
    case Planes::pairs_sign:
      put(body, 0, lane, pairs_of(w, 0));
      put(body, 1, lane, pairs_of(w + 4, 0));
      if (planes == Planes::pairs_sign) put(body, 2, lane, bits_of(w, 2));
      return;
    case Planes::entries:  // has a packer of its own
      return;
  }
}

/// Codebook entries of IQ2_XXS as stored numbers: eight bytes of level, and of sign where a bit is set.
struct EntryTables {
  std::uint64_t levels[256];
  std::uint64_t signs[256];
};

const EntryTables& entry_tables() {
  static const EntryTables made = [] {
    EntryTables tables{};
    for (int i = 0; i < 256; ++i) {
      for (int k = 0; k < 8; ++k) {
        const std::uint64_t level = kGridIq2Xxs[i][k] == 8 ? 0 : kGridIq2Xxs[i][k] == 25 ? 1 : 2;
        tables.levels[i] |= level << (8 * k);
        tables.signs[i] |= std::uint64_t{4} * static_cast<std::uint64_t>(i >> k & 1) << (8 * k);
      }
    }
    return tables;
  }();
  return made;
}

/// IQ2_XXS without going through codes: it is the most common format of experts that do not fit otherwise.
void pack_iq2_xxs(const std::uint8_t* row, std::int64_t blocks, std::uint8_t* body, int lane) {
  const EntryTables& tables = entry_tables();
  for (std::int64_t b = 0; b < blocks; ++b, body += body_bytes(Planes::pairs_sign)) {
    const std::uint8_t* indices = row + b / 8 * 66 + 2 + b % 8 * 8;
    const std::uint32_t word = load_u32(indices + 4);
    std::uint64_t entry[4];
    for (int i = 0; i < 4; ++i) {
      entry[i] = tables.levels[indices[i]] | tables.signs[sign_bits(word >> (7 * i) & 127U)];
    }
    std::uint32_t dwords[8];  // in Order::pairs: two bytes of each of two entries
    for (int j = 0; j < 8; ++j) {
      const std::uint64_t first = entry[j / 4 * 2] >> (16 * (j % 4)) & 0xffffU;
      const std::uint64_t second = entry[j / 4 * 2 + 1] >> (16 * (j % 4)) & 0xffffU;
      dwords[j] = static_cast<std::uint32_t>(first | second << 16);
    }
    pack_body(Planes::pairs_sign, dwords, body, lane);
  }
}

/// Indices as they are, signs completed to eight bits.
void pack_entries(const std::uint8_t* row, std::int64_t blocks, std::uint8_t* body, int lane) {
  for (std::int64_t b = 0; b < blocks; ++b, body += body_bytes(Planes::entries)) {
    const std::uint8_t* indices = row + b / 8 * 66 + 2 + b % 8 * 8;
    const std::uint32_t word = load_u32(indices + 4);
    std::uint32_t signs = 0;
    for (int i = 0; i < 4; ++i) signs |= std::uint32_t{sign_bits(word >> (7 * i) & 127U)} << (8 * i);
    put(body, 0, lane, load_u32(indices));
    put(body, 1, lane, signs);
  }
}

/// Where a block's 16 bytes of nibbles are that are the body's four dwords as they stand; null: nowhere.
const std::uint8_t* verbatim_nibbles(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t b) {
  switch (store) {
    case Store::mxfp4:
    case Store::q4_0:
    case Store::q4_1:
    case Store::iq4_nl:
      return row + (b + 1) * format.block_bytes - 16;
    case Store::iq4_xs:
    case Store::iq4_ks:
      if (format.block_bytes != 136) return nullptr;  // IQ4_KSS
      return row + format.row_header_bytes + b / 8 * 136 + 8 + b % 8 * 16;
    default:
      return nullptr;
  }
}

void pack_codes(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t blocks, std::uint8_t* body,
                int lane) {
  constexpr std::int64_t kAtOnce = 8;
  const Planes planes = store_shape(store).planes;
  const auto& indices = indices_for(store);
  std::int8_t codes[kAtOnce * kBlock];
  float scales[kAtOnce * 2];
  float minimums[kAtOnce * 2];
  for (std::int64_t first = 0; first < blocks; first += kAtOnce) {
    const std::int64_t n = std::min(kAtOnce, blocks - first);
    format.decode(row, first, n, codes, scales, minimums);
    for (std::int64_t b = 0; b < n; ++b, body += body_bytes(planes)) {
      std::uint32_t dwords[8];
      for (int j = 0; j < 8; ++j) {  // put together here, as reading what was just written by bytes takes long
        dwords[j] = 0;
        for (int i = 0; i < 4; ++i) {
          const auto code = static_cast<std::uint8_t>(codes[b * kBlock + 4 * j + i] + 128);
          dwords[j] |= std::uint32_t{indices[code]} << (8 * i);
        }
      }
      pack_body(planes, dwords, body, lane);
    }
  }
}

}  // namespace

void pack_row(const FormatInfo& format, Store store, const std::uint8_t* row, std::int64_t blocks, std::uint8_t* group,
              int lane) {
  const StoreExtent extent = store_extent(store, blocks);
  const ScaleLane to{group, group + extent.supers, group + extent.scales, lane};
  for (std::int64_t block = 0; block < blocks; ++block) pack_scales(format, store, row, block, to);
  std::uint8_t* body = group + extent.body;
  if (store == Store::iq2_xxs_small) return pack_entries(row, blocks, body, lane);
  if (store == Store::iq2_xxs) return pack_iq2_xxs(row, blocks, body, lane);
  if (verbatim_nibbles(format, store, row, 0) == nullptr) return pack_codes(format, store, row, blocks, body, lane);
  for (std::int64_t block = 0; block < blocks; ++block, body += body_bytes(Planes::nibbles)) {
    const std::uint8_t* nibbles = verbatim_nibbles(format, store, row, block);
    for (int j = 0; j < 4; ++j) put(body, j, lane, load_u32(nibbles + 4 * j));
  }
}

}  // namespace harness
