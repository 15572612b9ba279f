// The table of tensor formats: how the bytes of a row become the normal form on which every kernel rests.
// w[k] = scale[k / group] * code[k] - minimum[k / group]; the layouts are ggml's, see harness/core/formats/table.py.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace harness {

inline constexpr int kBlock = 32;  // activations are quantised in blocks of this many columns

/// Decodes `n_blocks` blocks of 32 weights, beginning with block `first_block` of the row, into codes
/// [32 n_blocks], scales and (where the format has them) minimums [32 n_blocks / group].
using Decode = void (*)(const std::uint8_t* row, std::int64_t first_block, std::int64_t n_blocks, std::int8_t* codes,
                        float* scales, float* minimums);

/// The integer sums that a format's codes allow. Kernels without a wider dot product add pairs of products in int16.
enum class CodeRange : std::uint8_t {
  none,       // plain floats
  tiny,       // |code| <= 16: a sum over 16 products fits int16
  tiny_plus,  // 0 <= code <= 31: fits after subtracting 16
  small,      // |code| <= 32, groups of 16: a sum over 8 products fits
  grid,       // codes of eight at a time, their magnitudes adding up to 258 at most
  wide,       // anything in int8
};

enum class FloatType : std::uint8_t { none, f32, f16, bf16 };

/// One row of the table. `group` 0: plain floats of `block_bytes` each, without `decode`.
struct FormatInfo {
  std::string_view name;
  int block;
  int block_bytes;
  int group;
  bool has_minimum;
  int row_header_bytes;
  CodeRange range;
  int bias;  // code + bias is never negative; 128 where the range is wide
  Decode decode;
  FloatType floats = FloatType::none;

  bool quantised() const { return group != 0; }
  std::int64_t row_bytes(std::int64_t columns) const { return row_header_bytes + columns / block * block_bytes; }
};

std::span<const FormatInfo> formats();

/// nullptr for a name that is not in the table.
const FormatInfo* find_format(std::string_view name);

/// The weights themselves, of any format: columns [first, first + count), whole blocks of 32 unless plain floats.
void decode_floats(const FormatInfo& format, const std::uint8_t* row, std::int64_t first, std::int64_t count,
                   float* out);

}  // namespace harness
