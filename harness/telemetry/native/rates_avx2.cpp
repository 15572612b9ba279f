// Compiled with -mavx2 -mfma -mavxvnni.
#include <immintrin.h>

#include "rates.h"

#define REG(x) "x"(x)
#define OPAQUE(x) "+x"(x)

namespace {

using Vec = __m256i;
constexpr int kBytes = 32;

inline Vec fill8(signed char x) { return _mm256_set1_epi8(x); }
inline Vec fill16(short x) { return _mm256_set1_epi16(x); }
inline Vec maddubs(Vec a, Vec b) { return _mm256_maddubs_epi16(a, b); }
inline Vec madd(Vec a, Vec b) { return _mm256_madd_epi16(a, b); }
inline Vec add16(Vec a, Vec b) { return _mm256_add_epi16(a, b); }
inline Vec add32(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
inline Vec fma32(Vec a, Vec b, Vec c) {
  return _mm256_castps_si256(_mm256_fmadd_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _mm256_castsi256_ps(c)));
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
      sum.at[i] = _mm256_dpbusd_avx_epi32(sum.at[i], activation, (i % 2 == 0 ? even : odd));
    }
  }
  sum.keep();
  return static_cast<double>(rounds) * kChains * kBytes;
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  asm("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(1));
  return has_avx2() && (a >> 4 & 1) != 0;
}

}  // namespace

namespace limits {

const Rate kAvx2Rates[] = {
    {"int8 maddubs+madd avx2", has_avx2, plain},
    {"int8 int16-summed avx2", has_avx2, summed},
    {"int8 vnni avx2", has_avx_vnni, vnni},
    {"f32 fma avx2", has_avx2, fused},
    {nullptr, nullptr, nullptr},
};

}  // namespace limits
