#include "bandwidth.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "team.h"

namespace limits {

namespace {

constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kSmall = 4096;
constexpr size_t kLine = 64;

// Bytes of the mapping that starts at `address` that lie on huge pages, as /proc/self/smaps tells; -1 if it does not.
long long huge_bytes(const void* address) {
  std::FILE* maps = std::fopen("/proc/self/smaps", "r");
  if (maps == nullptr) return -1;
  char line[512];
  bool inside = false;
  long long found = -1;
  while (std::fgets(line, sizeof(line), maps) != nullptr) {
    unsigned long long from = 0, to = 0;
    long long kib = 0;
    if (std::sscanf(line, "%llx-%llx ", &from, &to) == 2) {
      inside = from <= reinterpret_cast<uintptr_t>(address) && reinterpret_cast<uintptr_t>(address) < to;
    } else if (inside && std::sscanf(line, "AnonHugePages: %lld kB", &kib) == 1) {
      found = kib * 1024;
      break;
    }
  }
  std::fclose(maps);
  return found;
}

// Reads [begin, end), a multiple of four lines long, in four streams side by side within each 256 bytes.
uint64_t read_all(const char* begin, const char* end, size_t ahead) {
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (const char* at = begin; at < end; at += 4 * kLine) {
    if (ahead != 0) {
      for (size_t line = 0; line < 4; ++line) __builtin_prefetch(at + ahead + line * kLine);
    }
    const uint64_t* words = reinterpret_cast<const uint64_t*>(at);
    for (size_t i = 0; i < 8; ++i) {
      a |= words[i];
      b |= words[8 + i];
      c |= words[16 + i];
      d |= words[24 + i];
    }
  }
  return a | b | c | d;
}

}  // namespace

Pages::Pages(size_t bytes, bool huge) : bytes_(bytes / kHuge * kHuge) {
  void* mapping = mmap(nullptr, bytes_ + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return;
  mapping_ = static_cast<char*>(mapping);
  data_ = mapping_ + (kHuge - reinterpret_cast<uintptr_t>(mapping_) % kHuge) % kHuge;
  madvise(data_, bytes_, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  for (size_t at = 0; at < bytes_; at += kSmall) data_[at] = 1;
  const long long given = huge_bytes(data_);
  ok_ = huge ? given >= static_cast<long long>(bytes_ / 10 * 9) : given <= 0;
}

Pages::~Pages() {
  if (mapping_ != nullptr) munmap(mapping_, bytes_ + kHuge);
}

double read_rate(const Pages& pages, int n_threads, size_t ahead_bytes) {
  const size_t share = pages.bytes() / static_cast<size_t>(n_threads) / (4 * kLine) * (4 * kLine);
  const double seconds = timed(n_threads, [&](int index) {
    const char* begin = pages.data() + static_cast<size_t>(index) * share;
    uint64_t seen = read_all(begin, begin + share, ahead_bytes);
    asm volatile("" : : "r"(seen));
  });
  return static_cast<double>(share) * n_threads / seconds;
}

}  // namespace limits
