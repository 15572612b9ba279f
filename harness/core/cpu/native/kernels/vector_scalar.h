// Vectors without instructions for them: the definition that the other vector_*.h must match bit for bit.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "formats/half.h"
#include "kernels/inline.h"
#include "kernels/kernels.h"

namespace harness::scalar {

template <int N>
struct Lanes {
  float v[N];
};
using Lanes8 = Lanes<8>;
using Lanes16 = Lanes<16>;
struct Ints16 {
  std::int32_t v[16];
};
/// Sixteen pairs of int16.
struct Pairs16 {
  std::int16_t v[32];
};
struct Codes {
  std::uint8_t v[64];
};

template <int N, class F>
Lanes<N> each(F f) {
  Lanes<N> out;
  for (int i = 0; i < N; ++i) out.v[i] = f(i);
  return out;
}

template <class V>
V splat(float x) {
  V out;
  for (float& lane : out.v) lane = x;
  return out;
}
template <class V>
V load(const float* p) {
  V out;
  std::memcpy(out.v, p, sizeof out.v);
  return out;
}
template <int N>
void store(float* p, Lanes<N> a) {
  std::memcpy(p, a.v, sizeof a.v);
}
template <int N>
Lanes<N> add(Lanes<N> a, Lanes<N> b) {
  return each<N>([&](int i) { return a.v[i] + b.v[i]; });
}
template <int N>
Lanes<N> sub(Lanes<N> a, Lanes<N> b) {
  return each<N>([&](int i) { return a.v[i] - b.v[i]; });
}
template <int N>
Lanes<N> mul(Lanes<N> a, Lanes<N> b) {
  return each<N>([&](int i) { return a.v[i] * b.v[i]; });
}
template <int N>
Lanes<N> div(Lanes<N> a, Lanes<N> b) {
  return each<N>([&](int i) { return a.v[i] / b.v[i]; });
}
template <int N>
Lanes<N> fma(Lanes<N> a, Lanes<N> b, Lanes<N> c) {
  return each<N>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
/// The second operand where either is NaN, as the instructions have it.
template <int N>
Lanes<N> max(Lanes<N> a, Lanes<N> b) {
  return each<N>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
template <int N>
Lanes<N> min(Lanes<N> a, Lanes<N> b) {
  return each<N>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
template <int N>
Lanes<N> absolute(Lanes<N> a) {
  return each<N>([&](int i) { return std::fabs(a.v[i]); });
}
inline Lanes16 square_root(Lanes16 a) {
  return each<16>([&](int i) { return std::sqrt(a.v[i]); });
}
/// 2^n for whole n in -126 .. 127; some number where n is NaN.
template <int N>
Lanes<N> power_of_two(Lanes<N> n) {
  return each<N>([&](int i) {
    const std::int32_t exponent = n.v[i] >= -126.0F ? static_cast<std::int32_t>(n.v[i]) : 0;
    return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
  });
}
/// `value` where x >= bound, else 0.
template <int N>
Lanes<N> zero_below(Lanes<N> value, Lanes<N> x, float bound) {
  return each<N>([&](int i) { return x.v[i] < bound ? 0.0F : value.v[i]; });
}
inline Lanes8 low(Lanes16 a) { return load<Lanes8>(a.v); }
inline Lanes8 high(Lanes16 a) { return load<Lanes8>(a.v + 8); }

inline Lanes16 load_half16(const std::uint16_t* p) {
  return each<16>([&](int i) { return half_to_float(p[i]); });
}
inline void store_half16(std::uint16_t* p, Lanes16 a) {
  for (int i = 0; i < 16; ++i) p[i] = float_to_half(a.v[i]);
}
inline Lanes8 load_half8(const std::uint8_t* p) {
  return each<8>([&](int i) { return load_half(p + 2 * i); });
}
inline Lanes8 load_bfloat8(const std::uint8_t* p) {
  return each<8>([&](int i) { return bfloat_to_float(load_u16(p + 2 * i)); });
}
/// Rounded to whole numbers, half to even, in -127 .. 127; what a broken weight made of them may be 0.
inline void store_int8(std::int8_t* p, Lanes16 a) {
  for (int i = 0; i < 16; ++i) {
    const float whole = std::nearbyintf(a.v[i]);
    p[i] = whole >= -127.0F && whole <= 127.0F ? static_cast<std::int8_t>(whole) : std::int8_t{0};
  }
}

inline Ints16 add(Ints16 a, Ints16 b) {
  for (int i = 0; i < 16; ++i) a.v[i] += b.v[i];
  return a;
}
inline Lanes16 to_float(Ints16 a) {
  return each<16>([&](int i) { return static_cast<float>(a.v[i]); });
}

inline Pairs16 load_pairs(const std::int16_t* p) {
  Pairs16 out;
  std::memcpy(out.v, p, sizeof out.v);
  return out;
}
/// The pair at p in every lane.
inline Pairs16 splat_pair(const std::int16_t* p) {
  Pairs16 out;
  for (int i = 0; i < 32; ++i) out.v[i] = p[i % 2];
  return out;
}
/// Each lane's two products, added to its sum; whoever makes the codes sees to it that sums fit.
inline Ints16 add_products(Pairs16 a, Pairs16 b, Ints16 sum) {
  for (int i = 0; i < 32; ++i) sum.v[i / 2] += a.v[i] * b.v[i];
  return sum;
}
/// Rounded to a whole number, half to even; 0 for what is no number or beyond int32.
inline std::int16_t to_int16(float x) {
  const float whole = std::nearbyintf(x);
  return whole >= -0x1p31F && whole < 0x1p31F ? static_cast<std::int16_t>(static_cast<std::int32_t>(whole))
                                              : std::int16_t{0};
}
/// Rounded numbers of `a` and `b`, lane by lane in turn.
inline void store_pairs(std::int16_t* p, Lanes16 a, Lanes16 b) {
  for (int i = 0; i < 16; ++i) {
    p[2 * i] = to_int16(a.v[i]);
    p[2 * i + 1] = to_int16(b.v[i]);
  }
}
inline void store_int16(std::int16_t* p, Lanes16 a) {
  for (int i = 0; i < 16; ++i) p[i] = to_int16(a.v[i]);
}

inline Codes load_codes(const std::uint8_t* p) {
  Codes out;
  std::memcpy(out.v, p, 64);
  return out;
}

/// Bits [FROM, FROM + N) of every byte, moved to bit TO; the others are 0.
template <int FROM, int N, int TO>
Codes field(Codes x) {
  for (std::uint8_t& byte : x.v) byte = static_cast<std::uint8_t>((byte >> FROM & ((1 << N) - 1)) << TO);
  return x;
}
inline Codes both(Codes x, Codes y) {
  for (int i = 0; i < 64; ++i) x.v[i] = static_cast<std::uint8_t>(x.v[i] | y.v[i]);
  return x;
}
/// table[x] for bytes below N, 16 or 32.
template <int N>
Codes lookup(const std::uint8_t* table, Codes x) {
  for (std::uint8_t& byte : x.v) byte = table[byte];
  return x;
}
/// The table's words for the 64 bytes at p, low and high bytes apart.
struct Entries {
  Codes low, high;
};
inline Entries lookup_entries(const std::uint16_t* table, const std::uint8_t* p) {
  Entries found;
  for (int i = 0; i < 64; ++i) {
    found.low.v[i] = static_cast<std::uint8_t>(table[p[i]]);
    found.high.v[i] = static_cast<std::uint8_t>(table[p[i]] >> 8);
  }
  return found;
}
/// Adds `amount` to the four bytes of every row whose byte at p has bit BIT set.
template <int BIT>
Codes add_where(Codes x, const std::uint8_t* p, int amount) {
  for (int i = 0; i < 64; ++i) x.v[i] = static_cast<std::uint8_t>(x.v[i] + (p[i / 4] >> BIT & 1) * amount);
  return x;
}
inline void store_codes(std::uint8_t* p, Codes x) { std::memcpy(p, x.v, 64); }

inline Lanes16 signed_bytes(const std::uint8_t* p) {
  return each<16>([&](int i) { return static_cast<float>(static_cast<std::int8_t>(p[i])); });
}
/// (byte >> SHIFT & MASK) - MINUS
template <int SHIFT, int MASK, int MINUS>
Lanes16 bytes(const std::uint8_t* p) {
  return each<16>([&](int i) { return static_cast<float>((p[i] >> SHIFT & MASK) - MINUS); });
}
/// 2^(byte - 128)
inline Lanes16 exponents(const std::uint8_t* p) {
  return each<16>([&](int i) {
    const std::uint32_t e = p[i];
    return std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1) << 23);  // the first two are subnormal
  });
}
inline void prefetch(const std::uint8_t*) {}

constexpr int parts_of(Kind kind) { return shape_of(kind).groups; }

/// Sums of unsigned codes times signed activations, 16 rows.
template <Kind K>
struct Dot {
  Ints16 sum;

  Dot() = default;
  explicit Dot(const std::uint32_t* start) {
    for (std::int32_t& lane : sum.v) lane = static_cast<std::int32_t>(*start);
  }
  using Weights = Codes;
  static Weights prepare(Codes codes) { return codes; }
  void step(const Weights& codes, const std::uint32_t* activation) {
    std::int8_t a[4];
    std::memcpy(a, activation, 4);
    for (int r = 0; r < 16; ++r) {
      for (int i = 0; i < 4; ++i) sum.v[r] += codes.v[4 * r + i] * a[i];
    }
  }
  Ints16 ints() const { return sum; }
  static Lanes16 total(Ints16 ints, const float*) { return to_float(ints); }
};

/// Sums of codes by half of a block and by the lane of int16 pairs they fall into.
struct PairSums {
  std::int32_t v[2][2];
};

inline void permute(Order order, const std::int8_t* block, std::uint32_t* dwords) {
  std::int8_t out[32];
  if (order == Order::natural) {
    std::memcpy(out, block, 32);
  } else if (order == Order::strided) {
    for (int i = 0; i < 32; ++i) out[i] = block[i % 4 * 8 + i / 4];
  } else {
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 16; ++i) {
        out[16 * half + i] = block[16 * half + 2 * (i / 4) + (i & 1) + (i & 2) * 4];
      }
    }
  }
  std::memcpy(dwords, out, 32);
}

inline PairSums pair_sums(const std::uint32_t* dwords) {
  std::int8_t codes[32];
  std::memcpy(codes, dwords, 32);
  PairSums sums{};
  for (int i = 0; i < 32; ++i) sums.v[i / 16][i / 2 % 2] += codes[i];
  return sums;
}

inline std::uint32_t start_of(const Packing& packing, std::int32_t even, std::int32_t odd) {
  return static_cast<std::uint32_t>(-packing.bias * (even + odd));
}

}  // namespace harness::scalar
