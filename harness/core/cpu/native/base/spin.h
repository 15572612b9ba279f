// Waiting for another thread that is expected within microseconds.
#pragma once
#include <sched.h>

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace harness {

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Looks `spins` times whether done(), then leaves the core to others between looks, until `limit` is over; says
/// whether done().
template <class Done>
bool spin_until(Done done, int spins, std::chrono::steady_clock::duration limit) {
  for (int i = 0; i < spins; ++i) {
    if (done()) return true;
    pause();
  }
  const auto end = std::chrono::steady_clock::now() + limit;
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      sched_yield();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

/// The same without a limit.
template <class Done>
void spin_until(Done done, int spins) {
  while (!spin_until(done, spins, std::chrono::hours(1))) {
  }
}

}  // namespace harness
