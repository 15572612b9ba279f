// Vectors of AVX2, FMA and F16C. Sixteen lanes are two registers.
//
// Integer products: maddubs adds two products in int16, and int16 sums may wrap as long as the final value fits, so
// sums begin at -bias * (sum of activations) and formats with small codes need one widening per 16 products.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/inline.h"
#include "kernels/kernels.h"

namespace harness::avx2 {

struct Lanes8 {
  __m256 v;
};
struct Lanes16 {
  __m256 a, b;
};
struct Ints16 {
  __m256i a, b;
};
/// Sixteen pairs of int16.
struct Pairs16 {
  __m256i a, b;
};
struct Codes {
  __m256i a, b;
};

template <class V>
V splat(float x);
template <>
INLINE Lanes8 splat<Lanes8>(float x) {
  return {_mm256_set1_ps(x)};
}
template <>
INLINE Lanes16 splat<Lanes16>(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
template <class V>
V load(const float* p);
template <>
INLINE Lanes8 load<Lanes8>(const float* p) {
  return {_mm256_loadu_ps(p)};
}
template <>
INLINE Lanes16 load<Lanes16>(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
INLINE void store(float* p, Lanes8 x) { _mm256_storeu_ps(p, x.v); }
INLINE void store(float* p, Lanes16 x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}

#define HARNESS_BINARY(name, instruction)                                    \
  INLINE Lanes8 name(Lanes8 x, Lanes8 y) { return {instruction(x.v, y.v)}; } \
  INLINE Lanes16 name(Lanes16 x, Lanes16 y) { return {instruction(x.a, y.a), instruction(x.b, y.b)}; }
HARNESS_BINARY(add, _mm256_add_ps)
HARNESS_BINARY(sub, _mm256_sub_ps)
HARNESS_BINARY(mul, _mm256_mul_ps)
HARNESS_BINARY(div, _mm256_div_ps)
HARNESS_BINARY(max, _mm256_max_ps)
HARNESS_BINARY(min, _mm256_min_ps)
#undef HARNESS_BINARY

INLINE Lanes8 fma(Lanes8 x, Lanes8 y, Lanes8 z) { return {_mm256_fmadd_ps(x.v, y.v, z.v)}; }
INLINE Lanes16 fma(Lanes16 x, Lanes16 y, Lanes16 z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
INLINE __m256 absolute(__m256 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x); }
INLINE Lanes16 absolute(Lanes16 x) { return {absolute(x.a), absolute(x.b)}; }
INLINE Lanes16 square_root(Lanes16 x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
INLINE __m256 power_of_two(__m256 n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
INLINE Lanes16 power_of_two(Lanes16 n) { return {power_of_two(n.a), power_of_two(n.b)}; }
INLINE __m256 zero_below(__m256 value, __m256 x, __m256 bound) {
  return _mm256_andnot_ps(_mm256_cmp_ps(x, bound, _CMP_LT_OQ), value);
}
INLINE Lanes16 zero_below(Lanes16 value, Lanes16 x, float bound) {
  const __m256 limit = _mm256_set1_ps(bound);
  return {zero_below(value.a, x.a, limit), zero_below(value.b, x.b, limit)};
}
INLINE Lanes8 low(Lanes16 x) { return {x.a}; }
INLINE Lanes8 high(Lanes16 x) { return {x.b}; }

INLINE __m256 load_half(const void* p) { return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
INLINE Lanes16 load_half16(const std::uint16_t* p) { return {load_half(p), load_half(p + 8)}; }
INLINE void store_half16(std::uint16_t* p, Lanes16 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE Lanes8 load_half8(const std::uint8_t* p) { return {load_half(p)}; }
INLINE Lanes8 load_bfloat8(const std::uint8_t* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
}
INLINE void store_int8(std::int8_t* p, Lanes16 x) {
  const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}

INLINE Ints16 add(Ints16 x, Ints16 y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
INLINE Lanes16 to_float(Ints16 x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }

INLINE Pairs16 load_pairs(const std::int16_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
INLINE Pairs16 splat_pair(const std::int16_t* p) {
  std::int32_t both;
  std::memcpy(&both, p, sizeof both);
  return {_mm256_set1_epi32(both), _mm256_set1_epi32(both)};
}
INLINE Ints16 add_products(Pairs16 x, Pairs16 y, Ints16 sum) {
  sum.a = _mm256_add_epi32(sum.a, _mm256_madd_epi16(x.a, y.a));
  sum.b = _mm256_add_epi32(sum.b, _mm256_madd_epi16(x.b, y.b));
  asm("" : "+x"(sum.a), "+x"(sum.b));  // as in Dot
  return sum;
}
INLINE __m256i pairs8(__m256 x, __m256 y) {
  return _mm256_blend_epi16(_mm256_cvtps_epi32(x), _mm256_slli_epi32(_mm256_cvtps_epi32(y), 16), 0xaa);
}
INLINE void store_pairs(std::int16_t* p, Lanes16 x, Lanes16 y) {
  auto* q = reinterpret_cast<__m256i*>(p);
  _mm256_storeu_si256(q, pairs8(x.a, y.a));
  _mm256_storeu_si256(q + 1, pairs8(x.b, y.b));
}
INLINE void store_int16(std::int16_t* p, Lanes16 x) {
  const __m256i kept = _mm256_set1_epi32(0xffff);  // so that packing, which saturates, changes nothing
  const __m256i words = _mm256_packus_epi32(_mm256_and_si256(_mm256_cvtps_epi32(x.a), kept),
                                            _mm256_and_si256(_mm256_cvtps_epi32(x.b), kept));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(words, 0xd8));
}

INLINE Codes load_codes(const std::uint8_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_load_si256(q), _mm256_load_si256(q + 1)};
}

template <int FROM, int N, int TO>
INLINE __m256i field(__m256i x) {
  if constexpr (FROM > TO) x = _mm256_srli_epi16(x, FROM - TO);
  if constexpr (FROM < TO) x = _mm256_slli_epi16(x, TO - FROM);
  return _mm256_and_si256(x, _mm256_set1_epi8(static_cast<char>(((1 << N) - 1) << TO)));
}
template <int FROM, int N, int TO>
INLINE Codes field(Codes x) {
  return {field<FROM, N, TO>(x.a), field<FROM, N, TO>(x.b)};
}
INLINE Codes both(Codes x, Codes y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
template <int N>
INLINE __m256i lookup(const std::uint8_t* table, __m256i x) {
  const auto* entries = reinterpret_cast<const __m128i*>(table);
  const __m256i found = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(entries)), x);
  if constexpr (N == 16) return found;
  const __m256i upper = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(entries + 1)), x);
  return _mm256_blendv_epi8(found, upper, _mm256_slli_epi16(x, 3));  // bit 4 to the top
}
template <int N>
INLINE Codes lookup(const std::uint8_t* table, Codes x) {
  return {lookup<N>(table, x.a), lookup<N>(table, x.b)};
}
struct Entries {
  Codes low, high;
};
INLINE Entries lookup_entries(const std::uint16_t* table, const std::uint8_t* p) {
  alignas(32) std::uint8_t low[64];
  alignas(32) std::uint8_t high[64];
  for (int i = 0; i < 64; ++i) {
    const std::uint16_t word = table[p[i]];
    low[i] = static_cast<std::uint8_t>(word);
    high[i] = static_cast<std::uint8_t>(word >> 8);
  }
  return {load_codes(low), load_codes(high)};
}
INLINE __m256i load_bytes(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
INLINE __m256i load_signed_bytes(const std::uint8_t* p) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
template <int BIT>
INLINE __m256i add_where(__m256i x, const std::uint8_t* p, int amount) {
  const __m256i chosen = _mm256_srai_epi32(_mm256_slli_epi32(load_bytes(p), 31 - BIT), 31);
  return _mm256_add_epi8(x, _mm256_and_si256(chosen, _mm256_set1_epi8(static_cast<char>(amount))));
}
template <int BIT>
INLINE Codes add_where(Codes x, const std::uint8_t* p, int amount) {
  return {add_where<BIT>(x.a, p, amount), add_where<BIT>(x.b, p + 8, amount)};
}
INLINE void store_codes(std::uint8_t* p, Codes x) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_store_si256(reinterpret_cast<__m256i*>(p) + 1, x.b);
}

INLINE Lanes16 signed_bytes(const std::uint8_t* p) {
  return {_mm256_cvtepi32_ps(load_signed_bytes(p)), _mm256_cvtepi32_ps(load_signed_bytes(p + 8))};
}
template <int SHIFT, int MASK, int MINUS>
INLINE __m256 bytes8(const std::uint8_t* p) {
  const __m256i x = _mm256_and_si256(_mm256_srli_epi32(load_bytes(p), SHIFT), _mm256_set1_epi32(MASK));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(x, _mm256_set1_epi32(MINUS)));
}
template <int SHIFT, int MASK, int MINUS>
INLINE Lanes16 bytes(const std::uint8_t* p) {
  return {bytes8<SHIFT, MASK, MINUS>(p), bytes8<SHIFT, MASK, MINUS>(p + 8)};
}
INLINE __m256 exponents8(const std::uint8_t* p) {
  const __m256i e = load_bytes(p);
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
  const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
  const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, is_small));
}
INLINE Lanes16 exponents(const std::uint8_t* p) { return {exponents8(p), exponents8(p + 8)}; }
INLINE void prefetch(const std::uint8_t* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }

constexpr int parts_of(Kind kind) { return shape_of(kind).parts; }

/// Narrow codes: sums in int16, wrapping.
template <Kind K>
struct Dot {
  __m256i a, b;

  Dot() = default;
  INLINE explicit Dot(const std::uint32_t* start) : a(_mm256_set1_epi32(static_cast<std::int32_t>(*start))), b(a) {}
  using Weights = Codes;
  INLINE static Weights prepare(Codes codes) { return codes; }
  INLINE void step(const Weights& codes, const std::uint32_t* activation) {
    const __m256i x = _mm256_set1_epi32(static_cast<std::int32_t>(*activation));
    a = _mm256_add_epi16(a, _mm256_maddubs_epi16(codes.a, x));
    b = _mm256_add_epi16(b, _mm256_maddubs_epi16(codes.b, x));
    asm("" : "+x"(a), "+x"(b));  // keeps the compiler from re-associating the sum into spilled products
  }
  INLINE Ints16 ints() const {
    const __m256i one = _mm256_set1_epi16(1);
    return {_mm256_madd_epi16(a, one), _mm256_madd_epi16(b, one)};
  }
  /// `negated_sum`: minus the sum of the activations' codes.
  INLINE static Lanes16 total(Ints16 ints, const float* negated_sum) {
    if constexpr (K == Kind::tiny_plus_min) {  // codes met as code - 16; whole numbers below 2^24, so exact
      return fma(splat<Lanes16>(*negated_sum), splat<Lanes16>(-16.0F), to_float(ints));
    } else {
      (void)negated_sum;
      return to_float(ints);
    }
  }
};

/// Codes of eight bits: the sign goes to the activation, and two products just fit int16.
struct WideDot {
  __m256i a, b;

  WideDot() = default;
  INLINE explicit WideDot(const std::uint32_t*) : a(_mm256_setzero_si256()), b(a) {}
  struct Weights {
    Codes sign, magnitude;
  };
  INLINE static Weights prepare(Codes codes) {
    const __m256i bias = _mm256_set1_epi8(-128);
    const Codes sign{_mm256_xor_si256(codes.a, bias), _mm256_xor_si256(codes.b, bias)};
    return {sign, {_mm256_abs_epi8(sign.a), _mm256_abs_epi8(sign.b)}};
  }
  INLINE static __m256i products(__m256i magnitude, __m256i sign, __m256i x) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, sign)), _mm256_set1_epi16(1));
  }
  INLINE void step(const Weights& w, const std::uint32_t* activation) {
    const __m256i x = _mm256_set1_epi32(static_cast<std::int32_t>(*activation));
    a = _mm256_add_epi32(a, products(w.magnitude.a, w.sign.a, x));
    b = _mm256_add_epi32(b, products(w.magnitude.b, w.sign.b, x));
    asm("" : "+x"(a), "+x"(b));
  }
  INLINE Ints16 ints() const { return {a, b}; }
  INLINE static Lanes16 total(Ints16 ints, const float*) { return to_float(ints); }
};
template <>
struct Dot<Kind::wide> : WideDot {
  using WideDot::WideDot;
};
template <>
struct Dot<Kind::wide16> : WideDot {
  using WideDot::WideDot;
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
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), x);
  const __m256i two = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4e));
  const __m256i four = _mm256_add_epi16(two, _mm256_shuffle_epi32(two, 0xb1));
  const auto first = static_cast<std::uint32_t>(_mm256_extract_epi32(four, 0));
  const auto second = static_cast<std::uint32_t>(_mm256_extract_epi32(four, 4));
  return {{{static_cast<std::int16_t>(first), static_cast<std::int16_t>(first >> 16)},
           {static_cast<std::int16_t>(second), static_cast<std::int16_t>(second >> 16)}}};
}

INLINE std::uint32_t start_of(const Packing& packing, std::int32_t even, std::int32_t odd) {
  const int centre = packing.kind == Kind::tiny_plus_min ? 16 : packing.bias;
  return (static_cast<std::uint32_t>(-centre * odd) << 16) | (static_cast<std::uint32_t>(-centre * even) & 0xffffU);
}

}  // namespace harness::avx2
