// Compiled with -mavx512f -mavx512bw -mavx512vnni.
#include <immintrin.h>

#include "rates.h"

#define REG(x) "v"(x)
#define OPAQUE(x) "+v"(x)

namespace {

using Vec = __m512i;
constexpr int kBytes = 64;

inline Vec fill8(signed char x) { return _mm512_set1_epi8(x); }
inline Vec fill16(short x) { return _mm512_set1_epi16(x); }
inline Vec maddubs(Vec a, Vec b) { return _mm512_maddubs_epi16(a, b); }
inline Vec madd(Vec a, Vec b) { return _mm512_madd_epi16(a, b); }
inline Vec add16(Vec a, Vec b) { return _mm512_add_epi16(a, b); }
inline Vec add32(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
inline Vec fma32(Vec a, Vec b, Vec c) {
  return _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), _mm512_castsi512_ps(c)));
}

}  // namespace

#include "rates.inc"

namespace {

double vnni(long rounds) {
  Chains sum;
  Vec activation = fill8(3);
  const Vec even = fill8(1), odd = fill8(2);
  for (long round = 0; round < rounds; ++round) {
    UNROLL
    for (int i = 0; i < kChains; ++i) {
      asm volatile("" : OPAQUE(activation));
      sum.at[i] = _mm512_dpbusd_epi32(sum.at[i], activation, (i % 2 == 0 ? even : odd));
    }
  }
  sum.keep();
  return static_cast<double>(rounds) * kChains * kBytes;
}

bool has_avx512() { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }
bool has_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

}  // namespace

namespace limits {

const Rate kAvx512Rates[] = {
    {"int8 maddubs+madd avx512", has_avx512, plain},
    {"int8 int16-summed avx512", has_avx512, summed},
    {"int8 vnni avx512", has_vnni, vnni},
    {"f32 fma avx512", has_avx512, fused},
    {nullptr, nullptr, nullptr},
};

}  // namespace limits
