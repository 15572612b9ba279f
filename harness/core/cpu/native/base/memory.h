// Memory of weights, caches and scratch.
// Every block begins on a page of its own and is zero at first. They lie on huge pages where the system gives them, as
// a processor's prefetching ends where a page does: small blocks side by side, large ones, but for their end, alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace harness {

/// Owns a block of memory. Throws std::bad_alloc where the system has none.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;

  std::size_t size() const { return data_ ? size_ : 0; }  // none where it was moved away

  template <class T = std::uint8_t>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  std::shared_ptr<std::uint8_t> data_;  // keeps its mapping, which it may share
  std::size_t size_ = 0;
};

}  // namespace harness
