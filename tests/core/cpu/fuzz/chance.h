// What the fuzz driver decides by: one stream of random numbers per case, so that a case is its number.
#pragma once
#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace harness {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool one_in(int n) { return between(1, n) == 1; }

  template <class T>
  T of(const std::vector<T>& choices) {
    return choices[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(choices.size()) - 1))];
  }

  /// `usual`, or now and then a number that no honest caller sends.
  std::int64_t hostile(std::int64_t usual) {
    if (!one_in(60)) return usual;
    return of<std::int64_t>({0, -1, 1, usual - 1, usual + 1, -usual, std::int64_t{1} << 31, (std::int64_t{1} << 31) - 1,
                             std::int64_t{1} << 62, INT64_MIN, INT64_MAX});
  }

  /// Bytes of a weight: noise, or one value throughout, so that codes, scales and NaNs meet at their extremes.
  std::vector<std::uint8_t> bytes(std::int64_t n) {
    std::vector<std::uint8_t> made(static_cast<std::size_t>(n), of<std::uint8_t>({0x00, 0x7f, 0x80, 0xff}));
    if (!one_in(4)) std::generate(made.begin(), made.end(), [&] { return static_cast<std::uint8_t>(engine_()); });
    return made;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace harness
