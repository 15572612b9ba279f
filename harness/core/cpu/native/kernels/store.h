// Packed layouts: how 16 rows of a weight lie in memory when they are re-laid for the kernels, one linear stream.
//
//   group   row    [16] float d, for formats whose rows begin with one
//           strips of 16 blocks, the last perhaps shorter
//   strip   supers [blocks / 8][16] float16 d (then [16] dmin), for formats of 256-blocks
//           scales [blocks][bytes of 16 rows], padded to 64 bytes
//           body   [blocks][vectors of 64 bytes]: dword r of every vector belongs to row r
// Scales lie close to their codes, so that a product reads one stream and not two, which memory is slower with.
// Every byte belongs to one row, so rows may be placed in any order and by several threads at once. A row that is not
// there is all zeros. Body vectors by planes, j being the vector of codes (columns 4j .. 4j+3 in the format's order):
//   bytes         8 vectors: code + bias
//   nibbles       4: j in the low half, j + 4 in the high half
//   nibbles_bit   4 as above for the low four bits, 1 with the fifth bit of vector j in bit j
//   nibbles_pair  4 as above, 2 with bits 4 and 5 of vector j in bits 2 (j % 4) .. of vector j / 4
//   pairs         2 of two bits each, likewise
//   entries       1 of four codebook indices a row (see entry_levels), 1 of their signs, a bit a place
//   pairs_sign    2 as above, 1 with the third bit of vector j in bit j
// Bits index a table (lookup_of) where code + bias takes more of them. Formats differ in the planes they need, in what
// their scales are and in that table, and in nothing else: a layout is a row of store_shape.
#pragma once
#include "kernels/kernels.h"

namespace harness {

enum class Planes : std::uint8_t { bytes, nibbles, nibbles_bit, nibbles_pair, pairs, pairs_sign, entries };

/// What the scales of one block and 16 rows are.
enum class ScaleForm : std::uint8_t {
  exponent,       // [16] bytes e: 2^(e - 128)
  half,           // [16] float16
  half_minimum,   // [16] float16 scales, [16] float16 minimums
  super,          // [groups][16] int8, times d
  super_minimum,  // [16] bytes times d, [16] bytes times dmin
  super_nibbles,  // [groups][16] bytes: low half times d, high half times dmin
  super_tables,   // [groups][16] bytes that choose a table too (see tables_of), times d
  row_tables,     // the same, d being the row's
};

constexpr bool has_tables(ScaleForm form) { return form == ScaleForm::super_tables || form == ScaleForm::row_tables; }

/// One format's layout. `lookup`: stored numbers are indices of a table, else they are code + bias themselves.
struct StoreShape {
  Planes planes;
  ScaleForm scales;
  Kind kind;
  bool lookup;
  float factor;  // that every d is multiplied by, a power of two
};

constexpr StoreShape store_shape(Store store) {
  switch (store) {
    case Store::none:
      break;
    case Store::mxfp4:
      return {Planes::nibbles, ScaleForm::exponent, Kind::tiny, true, 1.0F};
    case Store::q4_0:
      return {Planes::nibbles, ScaleForm::half, Kind::tiny, false, 1.0F};
    case Store::q4_1:
      return {Planes::nibbles, ScaleForm::half_minimum, Kind::tiny_min, false, 1.0F};
    case Store::q5_0:
      return {Planes::nibbles_bit, ScaleForm::half, Kind::tiny, false, 1.0F};
    case Store::q5_1:
      return {Planes::nibbles_bit, ScaleForm::half_minimum, Kind::tiny_plus_min, false, 1.0F};
    case Store::q8_0:
      return {Planes::bytes, ScaleForm::half, Kind::wide, false, 1.0F};
    case Store::q2_k:
      return {Planes::pairs, ScaleForm::super_nibbles, Kind::small16_min, false, 1.0F};
    case Store::q3_k:
      return {Planes::pairs_sign, ScaleForm::super, Kind::small16, false, 1.0F};
    case Store::q4_k:
      return {Planes::nibbles, ScaleForm::super_minimum, Kind::tiny_min, false, 1.0F};
    case Store::q5_k:
      return {Planes::nibbles_bit, ScaleForm::super_minimum, Kind::tiny_plus_min, false, 1.0F};
    case Store::q6_k:
      return {Planes::nibbles_pair, ScaleForm::super, Kind::small16, false, 1.0F};
    case Store::iq1_s:
      return {Planes::pairs, ScaleForm::super_tables, Kind::tiny, true, 0.125F};
    case Store::iq1_m:
      return {Planes::pairs, ScaleForm::super_tables, Kind::small16, true, 0.125F};
    case Store::iq2_xxs:
      return {Planes::pairs_sign, ScaleForm::super, Kind::grid, true, 0.125F};
    case Store::iq2_xxs_small:
      return {Planes::entries, ScaleForm::super, Kind::wide, true, 0.125F};
    case Store::iq2_xs:
      return {Planes::pairs_sign, ScaleForm::super, Kind::wide16, true, 0.125F};
    case Store::iq2_k:
      return {Planes::pairs, ScaleForm::super_tables, Kind::small16, true, 1.0F};
    case Store::iq2_ks:
      return {Planes::pairs, ScaleForm::row_tables, Kind::wide, true, 1.0F};
    case Store::iq3_xxs:
      return {Planes::nibbles, ScaleForm::super, Kind::wide, true, 0.25F};
    case Store::iq3_s:
      return {Planes::nibbles, ScaleForm::super, Kind::tiny, true, 1.0F};
    case Store::iq3_k:
      return {Planes::pairs_sign, ScaleForm::super_tables, Kind::wide16, true, 1.0F};
    case Store::iq4_nl:
      return {Planes::nibbles, ScaleForm::half, Kind::wide, true, 1.0F};
    case Store::iq4_xs:
      return {Planes::nibbles, ScaleForm::super, Kind::wide, true, 1.0F};
    case Store::iq4_k:
      return {Planes::nibbles, ScaleForm::super_tables, Kind::wide16, true, 1.0F};
    case Store::iq4_ks:
      return {Planes::nibbles, ScaleForm::row_tables, Kind::wide, true, 1.0F};
    case Store::iq5_k:
      return {Planes::nibbles_bit, ScaleForm::super_tables, Kind::wide16, true, 1.0F};
  }
  return {Planes::bytes, ScaleForm::half, Kind::wide, false, 1.0F};
}

constexpr int body_bytes(Planes planes) {
  switch (planes) {
    case Planes::bytes:
      return 512;
    case Planes::nibbles:
      return 256;
    case Planes::nibbles_bit:
      return 320;
    case Planes::nibbles_pair:
      return 384;
    case Planes::pairs:
    case Planes::entries:
      return 128;
    case Planes::pairs_sign:
      return 192;
  }
  return 0;
}

/// Bytes of scales for one block and 16 rows.
constexpr int scale_bytes(ScaleForm form, int groups) {
  switch (form) {
    case ScaleForm::exponent:
      return 16;
    case ScaleForm::half:
      return 32;
    case ScaleForm::half_minimum:
      return 64;
    case ScaleForm::super:
    case ScaleForm::super_nibbles:
    case ScaleForm::super_tables:
    case ScaleForm::row_tables:
      return 16 * groups;
    case ScaleForm::super_minimum:
      return 32;
  }
  return 0;
}

/// Bytes that 256 columns of 16 rows have in common.
constexpr int super_bytes(ScaleForm form) {
  switch (form) {
    case ScaleForm::exponent:
    case ScaleForm::half:
    case ScaleForm::half_minimum:
    case ScaleForm::row_tables:
      return 0;
    case ScaleForm::super:
    case ScaleForm::super_tables:
      return 32;
    case ScaleForm::super_minimum:
    case ScaleForm::super_nibbles:
      return 64;
  }
  return 0;
}

/// Bytes that all columns of 16 rows have in common.
constexpr int whole_row_bytes(ScaleForm form) { return form == ScaleForm::row_tables ? 64 : 0; }

inline constexpr std::int64_t kStripBlocks = 16;  // two super-blocks, whose scales are whole cache lines

/// Where the parts of a strip begin, counted from its start, where its supers are.
struct StripExtent {
  std::int64_t scales;
  std::int64_t body;
  std::int64_t bytes;
};

constexpr StripExtent strip_extent(Store store, std::int64_t blocks) {
  const StoreShape shape = store_shape(store);
  const std::int64_t scales = blocks / 8 * super_bytes(shape.scales);
  const std::int64_t end = scales + blocks * scale_bytes(shape.scales, shape_of(shape.kind).groups);
  const std::int64_t body = (end + 63) / 64 * 64;
  return {scales, body, body + blocks * body_bytes(shape.planes)};
}

/// Where the strip of block `block` begins, counted from the group's start.
constexpr std::int64_t strip_start(Store store, std::int64_t block) {
  return whole_row_bytes(store_shape(store).scales) + block / kStripBlocks * strip_extent(store, kStripBlocks).bytes;
}

/// Bytes of a group of 16 rows.
constexpr std::int64_t group_bytes(Store store, std::int64_t blocks) {
  return strip_start(store, blocks) + strip_extent(store, blocks % kStripBlocks).bytes;
}

/// A scale's byte where it chooses a table too: (byte & mask) - minus is the scale; where bit `first` of it is set, the
/// codes of the group's first half are larger by `shift`, and by bit `second` those of its second half.
struct TableChoice {
  int mask;
  int minus;
  int first;
  int second;
  int shift;
};

constexpr TableChoice tables_of(Store store) {
  switch (store) {
    case Store::iq1_s:
    case Store::iq1_m:  // eight times a value, minus or plus 1
      return {63, 32, 6, 7, 2};
    case Store::iq2_k:
    case Store::iq2_ks:
      return {63, 32, 7, 7, 5};
    case Store::iq3_k:
    case Store::iq4_k:
      return {63, 32, 7, 7, 4};
    case Store::iq4_ks:  // as the file has it: scales are odd
      return {254, 127, 0, 0, 4};
    case Store::iq5_k:
      return {63, 32, 7, 7, 2};
    default:
      return {};
  }
}

/// What a stored number stands for, code + bias; a multiple of 16 entries may be read.
struct LookupTable {
  std::uint8_t values[32];
};

constexpr LookupTable lookup_of(Store store) {
  switch (store) {
    case Store::mxfp4:  // twice the E2M1 value, plus 12
      return {{12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0}};
    case Store::iq2_xxs:  // 8, 25, 43, then the same negative, plus 43; what stands behind them is never met
      return {{51, 68, 86, 0, 35, 18, 0, 0, 51, 68, 86, 0, 35, 18, 0, 0}};
    case Store::iq2_xxs_small:  // the same plus 128
    case Store::iq2_xs:
      return {{136, 153, 171, 0, 120, 103, 85, 0, 136, 153, 171, 0, 120, 103, 85, 0}};
    case Store::iq1_s:  // -9, -1, 7, plus 9
    case Store::iq1_m:
      return {{0, 8, 16}};
    case Store::iq2_k:  // the 2-bit values plus 31
      return {{0, 18, 32, 48}};
    case Store::iq2_ks:  // the same plus 128
      return {{97, 115, 129, 145}};
    case Store::iq3_xxs:  // 4, 12, 20, 28, 36, 44, 52, 62, then the same negative, plus 128
      return {{132, 140, 148, 156, 164, 172, 180, 190, 124, 116, 108, 100, 92, 84, 76, 66}};
    case Store::iq3_s:  // odd numbers from -15 to 15, plus 15
      return {{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30}};
    case Store::iq3_k:  // the 3-bit values plus 128
      return {{65, 88, 105, 118, 129, 141, 156, 175}};
    case Store::iq4_nl:  // the 4-bit values plus 128
    case Store::iq4_xs:
    case Store::iq4_k:
    case Store::iq4_ks:
      return {{1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241}};
    case Store::iq5_k:  // the 5-bit values plus 128
      return {{2,   14,  25,  36,  45,  54,  63,  71,  78,  85,  92,  98,  104, 110, 116, 122,
               127, 133, 139, 145, 151, 157, 164, 171, 179, 187, 196, 205, 215, 225, 237, 249}};
    default:
      return {};
  }
}

}  // namespace harness
