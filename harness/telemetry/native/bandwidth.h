// How fast memory can be read: sequential loads over a buffer far larger than the caches.
#pragma once

#include <cstddef>

namespace limits {

// A buffer on pages of the wanted kind, every page touched. `ok()` is false where the system did not give such pages.
class Pages {
 public:
  Pages(size_t bytes, bool huge);
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  bool ok() const { return ok_; }
  const char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  char* mapping_ = nullptr;
  char* data_ = nullptr;
  size_t bytes_;
  bool ok_ = false;
};

// Bytes per second that `n_threads` threads read together, each its own contiguous share, with a prefetch
// `ahead_bytes` in front (0: none); one pass over the buffer.
double read_rate(const Pages& pages, int n_threads, size_t ahead_bytes);

}  // namespace limits
