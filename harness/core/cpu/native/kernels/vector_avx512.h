// Vectors of AVX-512 (F, BW, VL, VNNI). Sixteen lanes are one register; eight are an AVX one.
// vpdpbusd sums four unsigned x signed products in int32 without saturation, so every format takes the same path.
// vpdpwssd does the same for two int16 products.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/inline.h"
#include "kernels/kernels.h"

namespace harness::avx512 {

struct Lanes8 {
  __m256 v;
};
struct Lanes16 {
  __m512 v;
};
struct Ints16 {
  __m512i v;
};
/// Sixteen pairs of int16.
struct Pairs16 {
  __m512i v;
};
struct Codes {
  __m512i v;
};

template <class V>
V splat(float x);
template <>
INLINE Lanes8 splat<Lanes8>(float x) {
  return {_mm256_set1_ps(x)};
}
template <>
INLINE Lanes16 splat<Lanes16>(float x) {
  return {_mm512_set1_ps(x)};
}
template <class V>
V load(const float* p);
template <>
INLINE Lanes8 load<Lanes8>(const float* p) {
  return {_mm256_loadu_ps(p)};
}
template <>
INLINE Lanes16 load<Lanes16>(const float* p) {
  return {_mm512_loadu_ps(p)};
}
INLINE void store(float* p, Lanes8 x) { _mm256_storeu_ps(p, x.v); }
INLINE void store(float* p, Lanes16 x) { _mm512_storeu_ps(p, x.v); }

#define HARNESS_BINARY(name)                                                        \
  INLINE Lanes8 name(Lanes8 x, Lanes8 y) { return {_mm256_##name##_ps(x.v, y.v)}; } \
  INLINE Lanes16 name(Lanes16 x, Lanes16 y) { return {_mm512_##name##_ps(x.v, y.v)}; }
HARNESS_BINARY(add)
HARNESS_BINARY(sub)
HARNESS_BINARY(mul)
HARNESS_BINARY(div)
HARNESS_BINARY(max)
HARNESS_BINARY(min)
#undef HARNESS_BINARY

INLINE Lanes8 fma(Lanes8 x, Lanes8 y, Lanes8 z) { return {_mm256_fmadd_ps(x.v, y.v, z.v)}; }
INLINE Lanes16 fma(Lanes16 x, Lanes16 y, Lanes16 z) { return {_mm512_fmadd_ps(x.v, y.v, z.v)}; }
INLINE Lanes16 absolute(Lanes16 x) { return {_mm512_abs_ps(x.v)}; }
INLINE Lanes16 square_root(Lanes16 x) { return {_mm512_sqrt_ps(x.v)}; }
INLINE Lanes16 power_of_two(Lanes16 n) {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
}
INLINE Lanes16 zero_below(Lanes16 value, Lanes16 x, float bound) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, _mm512_set1_ps(bound), _CMP_NLT_UQ), value.v)};
}
INLINE Lanes8 low(Lanes16 x) { return {_mm512_castps512_ps256(x.v)}; }
INLINE Lanes8 high(Lanes16 x) { return {_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x.v), 1))}; }

INLINE Lanes16 load_half16(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
INLINE void store_half16(std::uint16_t* p, Lanes16 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT));
}
INLINE Lanes8 load_half8(const std::uint8_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
INLINE Lanes8 load_bfloat8(const std::uint8_t* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
}
INLINE void store_int8(std::int8_t* p, Lanes16 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x.v)));
}

INLINE Ints16 add(Ints16 x, Ints16 y) { return {_mm512_add_epi32(x.v, y.v)}; }
INLINE Lanes16 to_float(Ints16 x) { return {_mm512_cvtepi32_ps(x.v)}; }

INLINE Pairs16 load_pairs(const std::int16_t* p) { return {_mm512_loadu_si512(p)}; }
INLINE Pairs16 splat_pair(const std::int16_t* p) {
  std::int32_t both;
  std::memcpy(&both, p, sizeof both);
  return {_mm512_set1_epi32(both)};
}
INLINE Ints16 add_products(Pairs16 x, Pairs16 y, Ints16 sum) {
  sum.v = _mm512_dpwssd_epi32(sum.v, x.v, y.v);
  asm("" : "+v"(sum.v));  // keeps the compiler from peeling a loop's first step, whose sums it would copy and spill
  return sum;
}
INLINE void store_pairs(std::int16_t* p, Lanes16 x, Lanes16 y) {
  const __m512i second = _mm512_slli_epi32(_mm512_cvtps_epi32(y.v), 16);
  _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaaU, _mm512_cvtps_epi32(x.v), second));
}
INLINE void store_int16(std::int16_t* p, Lanes16 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(x.v)));
}

INLINE Codes load_codes(const std::uint8_t* p) { return {_mm512_load_si512(p)}; }

template <int FROM, int N, int TO>
INLINE Codes field(Codes x) {
  __m512i moved = x.v;
  if constexpr (FROM > TO) moved = _mm512_srli_epi16(moved, FROM - TO);
  if constexpr (FROM < TO) moved = _mm512_slli_epi16(moved, TO - FROM);
  return {_mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(((1 << N) - 1) << TO)))};
}
INLINE Codes both(Codes x, Codes y) { return {_mm512_or_si512(x.v, y.v)}; }
template <int N>
INLINE Codes lookup(const std::uint8_t* table, Codes x) {
  const auto* entries = reinterpret_cast<const __m128i*>(table);
  const __m512i found = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(entries)), x.v);
  if constexpr (N == 16) return {found};
  const __m512i upper = _mm512_broadcast_i32x4(_mm_loadu_si128(entries + 1));
  return {_mm512_mask_shuffle_epi8(found, _mm512_test_epi8_mask(x.v, _mm512_set1_epi8(16)), upper, x.v)};
}
struct Entries {
  Codes low, high;
};
INLINE __m512i lookup_words(const std::uint16_t* table, __m512i index) {
  const auto* t = reinterpret_cast<const __m512i*>(table);
  const __mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x40));
  const __mmask32 bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x80));
  const __m512i first = _mm512_permutex2var_epi16(t[0], index, t[1]);
  const __m512i second = _mm512_permutex2var_epi16(t[2], index, t[3]);
  const __m512i third = _mm512_permutex2var_epi16(t[4], index, t[5]);
  const __m512i fourth = _mm512_permutex2var_epi16(t[6], index, t[7]);
  return _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, first, second),
                                 _mm512_mask_blend_epi16(bit6, third, fourth));
}
INLINE Entries lookup_entries(const std::uint16_t* table, const std::uint8_t* p) {
  const __m512i index = _mm512_load_si512(p);
  const __m512i even = lookup_words(table, index);
  const __m512i odd = lookup_words(table, _mm512_srli_epi16(index, 8));
  const __m512i low_bytes = _mm512_set1_epi16(0x00ff);
  return {{_mm512_or_si512(_mm512_and_si512(even, low_bytes), _mm512_slli_epi16(odd, 8))},
          {_mm512_or_si512(_mm512_srli_epi16(even, 8), _mm512_andnot_si512(low_bytes, odd))}};
}
template <int BIT>
INLINE Codes add_where(Codes x, const std::uint8_t* p, int amount) {
  const __m128i rows = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __mmask16 chosen = _mm_test_epi8_mask(rows, _mm_set1_epi8(static_cast<char>(1 << BIT)));
  // No byte overflows, so four may be added as one number.
  return {_mm512_mask_add_epi32(x.v, chosen, x.v, _mm512_set1_epi8(static_cast<char>(amount)))};
}
INLINE void store_codes(std::uint8_t* p, Codes x) { _mm512_store_si512(p, x.v); }

INLINE Lanes16 signed_bytes(const std::uint8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
template <int SHIFT, int MASK, int MINUS>
INLINE Lanes16 bytes(const std::uint8_t* p) {
  __m512i x = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  if constexpr (SHIFT > 0) x = _mm512_srli_epi32(x, SHIFT);
  if constexpr (MASK < 255 >> SHIFT) x = _mm512_and_si512(x, _mm512_set1_epi32(MASK));
  if constexpr (MINUS != 0) x = _mm512_sub_epi32(x, _mm512_set1_epi32(MINUS));
  return {_mm512_cvtepi32_ps(x)};
}
INLINE Lanes16 exponents(const std::uint8_t* p) {
  const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
  const __mmask16 subnormal = _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2));
  return {_mm512_castsi512_ps(_mm512_mask_sllv_epi32(normal, subnormal, _mm512_set1_epi32(0x00200000), e))};
}
INLINE void prefetch(const std::uint8_t* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }

constexpr int parts_of(Kind kind) { return shape_of(kind).groups; }

template <Kind K>
struct Dot {
  __m512i sum;

  Dot() = default;
  INLINE explicit Dot(const std::uint32_t* start) : sum(_mm512_set1_epi32(static_cast<std::int32_t>(*start))) {}
  using Weights = Codes;
  INLINE static Weights prepare(Codes codes) { return codes; }
  INLINE void step(const Weights& codes, const std::uint32_t* activation) {
    sum = _mm512_dpbusd_epi32(sum, codes.v, _mm512_set1_epi32(static_cast<std::int32_t>(*activation)));
  }
  INLINE Ints16 ints() const { return {sum}; }
  INLINE static Lanes16 total(Ints16 ints, const float*) { return to_float(ints); }
};

struct PairSums {
  std::int32_t v[2][2];
};

INLINE void permute(Order order, const std::int8_t* block, std::uint32_t* dwords) {
  __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
  if (order == Order::pairs) {
    x = _mm256_shuffle_epi8(
        x, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15)));
  }
  if (order == Order::strided) {
    const __m256i twos = _mm256_shuffle_epi8(
        x, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)));
    const __m128i low = _mm256_castsi256_si128(twos);
    const __m128i high = _mm256_extracti128_si256(twos, 1);
    x = _mm256_set_m128i(_mm_unpackhi_epi16(low, high), _mm_unpacklo_epi16(low, high));
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(dwords), x);
}

INLINE PairSums pair_sums(const std::uint32_t* dwords) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(dwords));
  const __m256i fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), x);
  const __m256i two = _mm256_add_epi32(fours, _mm256_shuffle_epi32(fours, 0x4e));
  const __m256i four = _mm256_add_epi32(two, _mm256_shuffle_epi32(two, 0xb1));
  return {{{_mm256_extract_epi32(four, 0), 0}, {_mm256_extract_epi32(four, 4), 0}}};
}

INLINE std::uint32_t start_of(const Packing& packing, std::int32_t even, std::int32_t odd) {
  return static_cast<std::uint32_t>(-packing.bias * (even + odd));
}

}  // namespace harness::avx512
