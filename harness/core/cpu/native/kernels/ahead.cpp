#include "kernels/ahead.h"

namespace harness {
namespace {

constexpr std::int64_t kKiB = 1024;
constexpr Distances kFar{5 * kKiB, 7 * kKiB, 10 * kKiB, 12 * kKiB};
constexpr Distances kNext{128, 128, 128, 512};

/// Zen 3 and Zen 4 follow a stream by themselves; what Zen 5 likes holds for all others.
bool follows_streams() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("amdfam19h") != 0;
#else
  return false;
#endif
}

}  // namespace

const Distances kDistances = follows_streams() ? kNext : kFar;

}  // namespace harness
