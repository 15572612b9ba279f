// Memory of weights, caches and scratch.
// Every block begins on a 64-byte border (2 MiB for large ones, with huge pages asked for) and is zero at first.
#pragma once
#include <cstddef>
#include <cstdint>

namespace harness {

/// Owns one anonymous mapping. Throws std::bad_alloc where the system has no memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::size_t size() const { return size_; }

  template <class T = std::uint8_t>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  void release() noexcept;

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
};

}  // namespace harness
