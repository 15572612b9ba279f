#include "base/memory.h"

#include <sys/mman.h>

#include <mutex>
#include <new>
#include <utility>

namespace harness {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kShared = 64 * kHugePage;  // address space; memory is taken as it is touched
constexpr std::size_t kLarge = kShared / 8;      // from here on the small pages at the end are few
constexpr std::size_t kTail = kPage;             // kernels may read one vector or prefetch a little beyond the last row

constexpr std::size_t rounded_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

/// Anonymous memory from a huge page's border on.
class Mapping {
 public:
  explicit Mapping(std::size_t bytes) : bytes_(bytes + kHugePage) {
    start_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start_ == MAP_FAILED) throw std::bad_alloc();
    // Advice only: without huge pages the kernels are a few per cent slower.
    (void)madvise(data(), bytes, MADV_HUGEPAGE);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(start_, bytes_); }

  std::uint8_t* data() const {
    return reinterpret_cast<std::uint8_t*>(rounded_up(reinterpret_cast<std::uintptr_t>(start_), kHugePage));
  }

 private:
  std::size_t bytes_;
  void* start_;
};

/// Where the next block that is not large goes. No place is given twice, so that all blocks are zero; one that ends
/// gives its memory back, and the last one in a mapping the mapping's addresses.
class SharedPages {
 public:
  std::shared_ptr<std::uint8_t> take(std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Mapping> mapping = mapping_.lock();
    if (!mapping || used_ + bytes > kShared) {
      mapping = std::make_shared<Mapping>(kShared);
      mapping_ = mapping;
      used_ = 0;
    }
    std::uint8_t* at = mapping->data() + std::exchange(used_, used_ + bytes);
    const auto give_back = [mapping = std::move(mapping), bytes](std::uint8_t* from) {
      (void)madvise(from, bytes, MADV_DONTNEED);
    };
    return {at, give_back};
  }

 private:
  std::mutex mutex_;
  std::weak_ptr<Mapping> mapping_;
  std::size_t used_ = 0;
};

}  // namespace

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  const std::size_t wanted = rounded_up(bytes + kTail, kPage);
  if (bytes < kLarge) {
    static SharedPages shared;
    data_ = shared.take(wanted);
  } else {
    auto mapping = std::make_shared<Mapping>(wanted);
    std::uint8_t* at = mapping->data();
    data_ = {std::move(mapping), at};
  }
}

}  // namespace harness
