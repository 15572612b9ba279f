// The table of kernels that one instruction set provides. Every table computes the same bits (docs/numerics.md).
//
// Weights meet activations as panels and tiles:
//   panel  16 rows x n blocks of 32 columns: codes [n][8][16][4] uint8 (code + bias; the dword of lane r in vector j
//          holds four columns of row r, which ones is the order's business), scales and minimums [n][groups][16]
//   tile   T tokens x n blocks: codes [n][8][T] dwords of int8 in the same order, scales [n][T],
//          starts [n][parts][T] (what a sum begins with, undoing the bias), sums [n][groups][T] (-sum of codes)
// A product kernel adds panel x tile to out [T][16] for each of up to two panels.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "formats/format.h"
#include "kernels/inline.h"

namespace harness {

inline constexpr int kRows = 16;          // rows of a panel
inline constexpr int kMaxTileTokens = 8;  // of any instruction set
inline constexpr int kMaxPanels = 2;      // that one kernel call takes

/// Which columns of a block the four bytes of dword j hold.
enum class Order : std::uint8_t {
  natural,  // 4j, 4j+1, 4j+2, 4j+3
  strided,  // j, 8 + j, 16 + j, 24 + j: place j of four codebook entries
  pairs,    // 16(j/4) + {2i, 2i+1, 8+2i, 9+2i}, i = j%4: an int16 lane meets one codebook entry only
};

/// Which code of a block stands at each byte of its eight dwords.
std::array<std::uint8_t, kBlock> bytes_in(Order order);

/// How products are summed; with the format's group size and minimum this names a kernel.
enum class Kind : std::uint8_t { tiny, tiny_min, tiny_plus_min, grid, small16, small16_min, wide, wide16 };
inline constexpr int kKinds = 8;

struct Shape {
  int groups;  // per block of 32
  int parts;   // integer sums per block
  bool minimum;
};

INLINE constexpr Shape shape_of(Kind kind) {
  switch (kind) {
    case Kind::tiny:
    case Kind::wide:
      return {1, 1, false};
    case Kind::grid:
      return {1, 2, false};
    case Kind::tiny_min:
    case Kind::tiny_plus_min:
      return {1, 1, true};
    case Kind::small16:
    case Kind::wide16:
      return {2, 2, false};
    case Kind::small16_min:
      return {2, 2, true};
  }
  return {};
}

/// Packed layouts, named after a format; those that differ in the file only have one in common. See store.h.
enum class Store : std::uint8_t {
  none,
  mxfp4,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xxs_small,
  iq2_xs,  // and IQ2_S
  iq2_k,
  iq2_ks,
  iq3_xxs,
  iq3_s,
  iq3_k,
  iq4_nl,
  iq4_xs,
  iq4_k,
  iq4_ks,  // and IQ4_KSS
  iq5_k
};
inline constexpr int kStores = 27;

/// What activations must look like to meet a weight: equal packings may share tiles.
struct Packing {
  Kind kind;
  Order order;
  int bias;

  bool operator==(const Packing&) const = default;
};

Packing packing_of(const FormatInfo& format, Store store = Store::none);

/// Store::none for a format without a packed layout: plain floats.
Store store_of(const FormatInfo& format);
/// The same where memory is short: the smallest layout there is.
Store small_store_of(const FormatInfo& format);

/// The levels of an IQ2_XXS codebook entry's eight places, two bits each, [256]; 64-byte aligned.
const std::uint16_t* entry_levels();

struct Panel {
  const std::uint8_t* codes;
  const float* scales;
  const float* minimums;
};

struct Tile {
  int tokens;
  std::uint32_t* codes;
  float* scales;
  std::uint32_t* starts;
  float* sums;
};

using Product = void (*)(const Panel* panels, const Tile& tile, std::int64_t blocks, float* out,
                         std::int64_t out_stride);

/// Adds nothing up before: out[token][16] = 16 packed rows x a tile of at most kStreamTokens, all `blocks` of them.
/// `after` is the group that will be read next, so that memory can be asked for it.
using StreamProduct = void (*)(const std::uint8_t* group, const std::uint8_t* after, const Tile& tile,
                               std::int64_t blocks, float* out);
inline constexpr int kStreamTokens = 4;  // up to here decoding a stream once per product beats making a panel

/// Blocks first .. first + count of a packed group of `blocks`, as a panel in memory the caller provides.
using Expand = void (*)(const std::uint8_t* group, std::int64_t blocks, std::int64_t first, std::int64_t count,
                        std::uint8_t* codes, float* scales, float* minimums);

enum class Activation : std::uint8_t { swiglu, swiglu_oai };

/// Gate and up products of up to 32 columns for some tokens, to be activated and stored.
struct GatedBlock {
  const float* gate;  // the number at [group][token][16], strides in floats
  const float* up;
  std::int64_t group_stride;
  std::int64_t token_stride;
  std::int64_t tokens;
  int columns;
  const float* gate_bias;  // [columns], or null
  const float* up_bias;
  Activation activation;
  // Either floats [token][stride] or codes [token][stride] with scales [token][scale_stride] is not null.
  float* floats;
  std::int8_t* codes;
  std::int64_t stride;
  float* scales;
  std::int64_t scale_stride;
};

inline constexpr int kChunk = 256;  // keys that attention takes at a time

/// How keys or values are kept; q8_0 rounds as activations are rounded, with float16 scales.
enum class KvType : std::uint8_t { f16, q8_0 };

/// Bytes of `columns` numbers of one position; q8_0 needs whole blocks of 32.
INLINE constexpr std::int64_t kv_bytes(KvType type, std::int64_t columns) {
  return type == KvType::f16 ? columns * 2 : columns / kBlock * (kBlock + 2);
}

/// Up to 256 keys of one KV head and some queries, in tiles of 16 positions:
///   f16   keys [head_dim][16], values [16][value_columns]
///   q8_0  per 32 columns the 16 positions' scales, float16, then codes: keys [32][16], values [16][32]
struct AttentionChunk {
  const std::uint8_t* keys;
  const std::uint8_t* values;
  KvType key_type;
  KvType value_type;
  int head_dim;
  int value_columns;  // a multiple of 16
  float scale;
  std::int64_t queries;
  const float* const* query;  // [queries] -> [head_dim]
  const std::int32_t* first;  // [queries] first visible key of the chunk ...
  const std::int32_t* last;   // ... and one beyond the last; first < last
  float* maximum;             // [queries]
  float* sum;                 // [queries]
  float* out;                 // [queries][value_columns]
  const std::uint8_t* next;   // keys that memory is asked for meanwhile
  std::int64_t next_bytes;    // 0: none
};

/// Numbers that take the place of a chunk's, and of queries, in rounded attention: int16, with a float step for each
/// key, value and query. Zeros stand behind an odd head_dim.
///   keys    [16 tiles][pairs of head_dim][16 keys][2 columns]
///   values  [value_columns / 16][128 pairs of keys][16 columns][2 keys]
///   query   [queries][rounded_columns(head_dim)]
struct RoundedChunk {
  std::int16_t* keys;
  float* key_steps;
  std::int16_t* values;
  float* value_steps;
  const std::int16_t* query;
  const float* query_steps;  // the chunk's scale in them
};

INLINE constexpr std::int64_t rounded_columns(std::int64_t head_dim) { return (head_dim + 15) / 16 * 16; }

struct Kernels {
  const char* name;
  int tile_tokens;
  int panels;
  int (*parts)(Kind kind);  // integer sums per block, as `pack` lays out starts

  Product product[kKinds][kMaxPanels][kMaxTileTokens];  // [kind][panels - 1][tokens - 1]

  StreamProduct stream_product[kStores][kStreamTokens];  // [store][tokens - 1]
  Expand expand[kStores];

  /// out[token * 16 + row] = the product, for up to 16 rows of plain floats.
  void (*float_product)(FloatType type, const std::uint8_t* rows, std::int64_t row_bytes, int n_rows,
                        const float* const* x, std::int64_t tokens, std::int64_t columns, float* out);

  void (*quantise)(const float* x, std::int64_t columns, std::int8_t* codes, float* scales);
  void (*pack)(const Packing& packing, const std::int8_t* const* codes, const float* const* scales, std::int64_t blocks,
               const Tile& tile);
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t columns, float* y);
  void (*gated)(const GatedBlock& block);
  void (*softmax)(float* x, std::int64_t n);
  void (*sigmoid)(float* x, std::int64_t n);
  void (*attend)(const AttentionChunk& chunk);
  /// Rounds a query to `codes` and `step`, the latter times `scale`.
  void (*round_query)(const float* query, int head_dim, float scale, std::int16_t* codes, float* step);
  /// Rounds the tiles that keys first .. last of a chunk are in.
  void (*round_chunk)(const AttentionChunk& chunk, int first, int last, const RoundedChunk& rounded);
  /// As `attend`, with rounded numbers in place of those of `chunk`.
  void (*attend_rounded)(const AttentionChunk& chunk, const RoundedChunk& rounded);
  /// Adds a later chunk's (maximum, sum, out) to an earlier one's.
  void (*merge)(float* maximum, float* sum, float* out, float later_maximum, float later_sum, const float* later_out,
                std::int64_t columns);
  /// out / sum, after counting `sink` (null: none) as one more key of value zero.
  void (*finish)(float maximum, float sum, const float* out, const float* sink, std::int64_t columns, float* y);
  /// y = residual (null: 0) + the sum over j ascending of weights[j] * rows[j * stride], one fma each.
  void (*combine)(const float* rows, std::int64_t stride, const float* weights, std::int64_t n_rows,
                  const float* residual, std::int64_t columns, float* y);
  void (*to_half)(const float* x, std::int64_t n, std::uint16_t* y);
};

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

/// Tables this processor can run, slowest first.
std::span<const Kernels* const> usable_kernels();

}  // namespace harness
