#include <algorithm>
#include <array>

#include "formats/decoders.h"
#include "formats/format.h"
#include "formats/half.h"

namespace harness {
namespace {

constexpr auto kFormats = std::to_array<FormatInfo>({
    {"F32", 1, 4, 0, false, 0, CodeRange::none, 0, nullptr, FloatType::f32},
    {"F16", 1, 2, 0, false, 0, CodeRange::none, 0, nullptr, FloatType::f16},
    {"BF16", 1, 2, 0, false, 0, CodeRange::none, 0, nullptr, FloatType::bf16},
    {"Q4_0", 32, 18, 32, false, 0, CodeRange::tiny, 8, decode_q4_0},
    {"Q4_1", 32, 20, 32, true, 0, CodeRange::tiny, 0, decode_q4_1},
    {"Q8_0", 32, 34, 32, false, 0, CodeRange::wide, 128, decode_q8_0},
    {"Q2_K", 256, 84, 16, true, 0, CodeRange::small, 0, decode_q2_k},
    {"Q4_K", 256, 144, 32, true, 0, CodeRange::tiny, 0, decode_q4_k},
    {"Q5_K", 256, 176, 32, true, 0, CodeRange::tiny_plus, 0, decode_q5_k},
    {"Q6_K", 256, 210, 16, false, 0, CodeRange::small, 32, decode_q6_k},
    {"IQ2_XXS", 256, 66, 32, false, 0, CodeRange::grid, 43, decode_iq2_xxs},
    {"MXFP4", 32, 17, 32, false, 0, CodeRange::tiny, 12, decode_mxfp4},
    {"IQ4_K", 256, 144, 16, false, 0, CodeRange::wide, 128, decode_iq4_k},
    {"Q5_0", 32, 22, 32, false, 0, CodeRange::tiny, 16, decode_q5_0},
    {"Q5_1", 32, 24, 32, true, 0, CodeRange::tiny_plus, 0, decode_q5_1},
    {"Q3_K", 256, 110, 16, false, 0, CodeRange::small, 4, decode_q3_k},
    {"IQ1_S", 256, 50, 32, false, 0, CodeRange::tiny, 9, decode_iq1_s},
    {"IQ1_M", 256, 56, 16, false, 0, CodeRange::small, 9, decode_iq1_m},
    {"IQ2_XS", 256, 74, 16, false, 0, CodeRange::wide, 128, decode_iq2_xs},
    {"IQ2_S", 256, 82, 16, false, 0, CodeRange::wide, 128, decode_iq2_s},
    {"IQ3_XXS", 256, 98, 32, false, 0, CodeRange::wide, 128, decode_iq3_xxs},
    {"IQ3_S", 256, 110, 32, false, 0, CodeRange::tiny, 15, decode_iq3_s},
    {"IQ4_NL", 32, 18, 32, false, 0, CodeRange::wide, 128, decode_iq4_nl},
    {"IQ4_XS", 256, 136, 32, false, 0, CodeRange::wide, 128, decode_iq4_xs},
    {"IQ2_K", 256, 76, 16, false, 0, CodeRange::small, 31, decode_iq2_k},
    {"IQ2_KS", 256, 70, 32, false, 2, CodeRange::wide, 128, decode_iq2_ks},
    {"IQ3_K", 256, 110, 16, false, 0, CodeRange::wide, 128, decode_iq3_k},
    {"IQ4_KS", 256, 136, 32, false, 4, CodeRange::wide, 128, decode_iq4_ks},
    {"IQ4_KSS", 256, 128, 32, false, 4, CodeRange::wide, 128, decode_iq4_kss},
    {"IQ5_K", 256, 176, 16, false, 0, CodeRange::wide, 128, decode_iq5_k},
});

float plain_float(const FormatInfo& format, const std::uint8_t* row, std::int64_t column) {
  if (format.block_bytes == 4) return std::bit_cast<float>(load_u32(row + 4 * column));
  const std::uint16_t bits = load_u16(row + 2 * column);
  return format.floats == FloatType::f16 ? half_to_float(bits) : bfloat_to_float(bits);
}

}  // namespace

std::span<const FormatInfo> formats() { return kFormats; }

const FormatInfo* find_format(std::string_view name) {
  const auto found = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& row) { return row.name == name; });
  return found == kFormats.end() ? nullptr : &*found;
}

void decode_floats(const FormatInfo& format, const std::uint8_t* row, std::int64_t first, std::int64_t count,
                   float* out) {
  if (!format.quantised()) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = plain_float(format, row, first + i);
    return;
  }
  std::int8_t codes[kBlock];
  float scales[2];
  float minimums[2];
  for (std::int64_t block = 0; block < count / kBlock; ++block, out += kBlock) {
    format.decode(row, first / kBlock + block, 1, codes, scales, minimums);
    for (int i = 0; i < kBlock; ++i) {
      const float product = scales[i / format.group] * static_cast<float>(codes[i]);
      out[i] = format.has_minimum ? product - minimums[i / format.group] : product;
    }
  }
}

}  // namespace harness
