#include "clock.h"

#include <time.h>

namespace limits {

double core_clock_hz(long additions) {
  timespec start{}, end{};
  unsigned long x = 1;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (long left = additions / 8; left > 0; --left) {
    asm volatile(
        "add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\t"
        "add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0"
        : "+r"(x));
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double seconds =
      static_cast<double>(end.tv_sec - start.tv_sec) + 1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec);
  return static_cast<double>(additions / 8 * 8) / seconds;
}

}  // namespace limits
