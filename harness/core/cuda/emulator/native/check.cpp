// Finds races, accesses outside allocations and misaligned accesses, in kernels compiled with -fsanitize=thread.
//
// The sanitizer's own run time is not linked: its entry points, called at every load and store of a kernel, are here.
// Each byte remembers its last writer and reader. Two accesses of different threads are ordered if a block barrier
// lies between them, or, within a warp, a collective; otherwise a write makes them a race.
#include <dlfcn.h>

#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "block.h"
#include "fiber.h"

namespace simt {

namespace {

constexpr uint32_t nobody = 0xffffffffU;

struct Access {
  uint32_t block = nobody, epoch = 0, warp_epoch = 0;
  uint16_t thread = 0;
  bool atomic = false;
};

struct ByteHistory {
  uint32_t launch = 0;
  Access write, read;
  bool several_readers = false;
};

constexpr uintptr_t page_bytes = 4096;
struct ShadowPage {
  ByteHistory bytes[page_bytes];
};

std::unordered_map<uintptr_t, std::unique_ptr<ShadowPage>> shadow;
std::map<uintptr_t, size_t> allocations;
std::map<uintptr_t, size_t> modules;  // compiled kernels: their constants may be read
std::set<const void*> reported_sites;
std::string reports;
unsigned n_reports = 0;
uint32_t launch_number = 0;

ByteHistory& history(uintptr_t address) {
  auto& page = shadow[address / page_bytes];
  if (!page) page = std::make_unique<ShadowPage>();
  ByteHistory& byte = page->bytes[address % page_bytes];
  if (byte.launch != launch_number) {
    byte = ByteHistory{};
    byte.launch = launch_number;
  }
  return byte;
}

Access self(bool atomic) {
  const Thread& thread = *current_thread;
  return {current_block->linear, current_block->epoch, thread.warp->epoch, static_cast<uint16_t>(thread.linear),
          atomic};
}

bool ordered(const Access& earlier, const Access& later) {
  if (earlier.block == nobody) return true;
  if (earlier.block != later.block) return false;
  if (earlier.thread == later.thread || earlier.epoch != later.epoch) return true;
  const bool same_warp = earlier.thread / warp_lanes == later.thread / warp_lanes;
  return same_warp && earlier.warp_epoch != later.warp_epoch;
}

bool inside(const std::map<uintptr_t, size_t>& ranges, uintptr_t address, size_t n_bytes) {
  auto next = ranges.upper_bound(address);
  if (next == ranges.begin()) return false;
  const auto& [base, size] = *std::prev(next);
  return address + n_bytes <= base + size;
}

void report(const char* kind, const void* site, uintptr_t address, const Access& other) {
  if (!reported_sites.insert(site).second) return;
  n_reports++;
  Dl_info module{};
  dladdr(site, &module);
  const uintptr_t offset = reinterpret_cast<uintptr_t>(site) - reinterpret_cast<uintptr_t>(module.dli_fbase);
  char text[1024];
  snprintf(text, sizeof text, "%s at %s+0x%zx, address 0x%zx: block %u thread %u", kind, module.dli_fname, offset,
           address, current_block->linear, current_thread->linear);
  reports += text;
  if (other.block != nobody) {
    snprintf(text, sizeof text, " against block %u thread %u", other.block, other.thread);
    reports += text;
  }
  reports += '\n';
}

bool in_bounds(uintptr_t address, size_t n_bytes, bool is_write) {
  if (current_block->owns_shared(address)) return current_block->in_allocated_shared(address, n_bytes);
  return inside(allocations, address, n_bytes) || (!is_write && inside(modules, address, n_bytes));
}

void note_write(ByteHistory& byte, const Access& now, uintptr_t address, const void* site) {
  const bool both_atomic = byte.write.atomic && now.atomic;
  if (!both_atomic && !ordered(byte.write, now)) report("race: write after write", site, address, byte.write);
  const bool reader_atomic = byte.read.atomic && now.atomic;
  const bool readers_unordered = byte.several_readers && byte.read.block == now.block && byte.read.epoch == now.epoch;
  if (!reader_atomic && (!ordered(byte.read, now) || readers_unordered)) {
    report("race: write after read", site, address, byte.read);
  }
  byte.write = now;
}

void note_read(ByteHistory& byte, const Access& now, uintptr_t address, const void* site) {
  const bool both_atomic = byte.write.atomic && now.atomic;
  if (!both_atomic && !ordered(byte.write, now)) report("race: read after write", site, address, byte.write);
  const bool same_interval = byte.read.block == now.block && byte.read.epoch == now.epoch;
  const bool same_warp = byte.read.thread / warp_lanes == now.thread / warp_lanes;
  byte.several_readers = same_interval && (byte.several_readers || !same_warp);
  byte.read = now;
}

// An access that the compiler itself declared unaligned, of single bytes it joined, is no mistake of the kernel.
enum class Alignment { natural, any };

void check(const void* pointer, size_t n_bytes, bool is_write, bool atomic, const void* site,
           Alignment alignment = Alignment::natural) {
  if (current_thread == nullptr || n_bytes == 0) return;
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (address - reinterpret_cast<uintptr_t>(current_thread->stack) < stack_bytes) return;
  const Access none;
  if (!in_bounds(address, n_bytes, is_write)) {
    report(is_write ? "write out of bounds" : "read out of bounds", site, address, none);
    fail("access out of bounds");
  }
  const bool is_word = (n_bytes & (n_bytes - 1)) == 0 && n_bytes <= 16;
  if (alignment == Alignment::natural && is_word && address % n_bytes != 0)
    report("misaligned access", site, address, none);
  if (inside(modules, address, n_bytes)) return;
  const Access now = self(atomic);
  const bool shared = current_block->owns_shared(address);
  for (size_t i = 0; i < n_bytes; i++) {
    ByteHistory& byte = history(address + i);
    // Shared memory begins anew with every block, at the same addresses.
    if (shared && byte.write.block != now.block) byte.write = none;
    if (shared && byte.read.block != now.block) {
      byte.read = none;
      byte.several_readers = false;
    }
    if (is_write) {
      note_write(byte, now, address + i, site);
    } else {
      note_read(byte, now, address + i, site);
    }
  }
}

}  // namespace

void check_access(const void* address, unsigned n_bytes, bool is_write) {
  check(address, n_bytes, is_write, false, __builtin_return_address(0));
}

void check_new_launch() { launch_number++; }

}  // namespace simt

extern "C" {

void simt_check_module(const void* address, size_t n_bytes) {
  simt::modules[reinterpret_cast<uintptr_t>(address)] = n_bytes;
}
void simt_check_allocation(const void* address, size_t n_bytes) {
  simt::allocations[reinterpret_cast<uintptr_t>(address)] = n_bytes;
}
void simt_check_release(const void* address) { simt::allocations.erase(reinterpret_cast<uintptr_t>(address)); }
unsigned simt_check_count() { return simt::n_reports; }
const char* simt_check_reports() { return simt::reports.c_str(); }
void simt_check_clear() {
  simt::n_reports = 0;
  simt::reports.clear();
  simt::reported_sites.clear();
}

#define SIMT_SITE __builtin_return_address(0)
#define SIMT_HOOKS(n)                                                                                          \
  void __tsan_read##n(void* p) { simt::check(p, n, false, false, SIMT_SITE); }                                 \
  void __tsan_write##n(void* p) { simt::check(p, n, true, false, SIMT_SITE); }                                 \
  void __tsan_unaligned_read##n(void* p) { simt::check(p, n, false, false, SIMT_SITE, simt::Alignment::any); } \
  void __tsan_unaligned_write##n(void* p) { simt::check(p, n, true, false, SIMT_SITE, simt::Alignment::any); }
SIMT_HOOKS(1)
SIMT_HOOKS(2)
SIMT_HOOKS(4)
SIMT_HOOKS(8)
SIMT_HOOKS(16)
void __tsan_read_range(void* p, size_t n) { simt::check(p, n, false, false, SIMT_SITE, simt::Alignment::any); }
void __tsan_write_range(void* p, size_t n) { simt::check(p, n, true, false, SIMT_SITE, simt::Alignment::any); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define SIMT_ATOMICS(n, T)                                                                         \
  T __tsan_atomic##n##_load(const T* p, int) {                                                     \
    simt::check(p, sizeof(T), false, true, SIMT_SITE);                                             \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                \
  void __tsan_atomic##n##_store(T* p, T v, int) {                                                  \
    simt::check(p, sizeof(T), true, true, SIMT_SITE);                                              \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                      \
  }                                                                                                \
  T __tsan_atomic##n##_exchange(T* p, T v, int) {                                                  \
    simt::check(p, sizeof(T), true, true, SIMT_SITE);                                              \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                            \
  }                                                                                                \
  T __tsan_atomic##n##_fetch_add(T* p, T v, int) {                                                 \
    simt::check(p, sizeof(T), true, true, SIMT_SITE);                                              \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                             \
  }                                                                                                \
  int __tsan_atomic##n##_compare_exchange_strong(T* p, T* expected, T v, int, int) {               \
    simt::check(p, sizeof(T), true, true, SIMT_SITE);                                              \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }
SIMT_ATOMICS(32, uint32_t)
SIMT_ATOMICS(64, uint64_t)
void __tsan_atomic_thread_fence(int) {}
}
