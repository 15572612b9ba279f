// One weight as the CPU holds it, and the only check of what Python hands over.
// Sizes are computed here from format and shape and must agree with the caller's; nothing else reads a weight's bytes.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "base/memory.h"
#include "formats/format.h"
#include "kernels/kernels.h"
#include "kernels/store.h"

namespace harness {

/// A weight's extent: `experts` matrices (1 for a plain one) of `rows` x `columns`. With `halves` 2 a matrix is two of
/// equal height, one after the other (gate, then up); no group of 16 rows has rows of both.
struct Extent {
  std::int64_t experts;
  std::int64_t rows;
  std::int64_t columns;
  int halves;
};

struct RowGroup {
  std::int64_t first;  // within the expert
  int count;           // 1 .. 16
};

class Matrix {
 public:
  /// Errors: std::invalid_argument where format, shape and row_bytes disagree; std::bad_alloc.
  /// `packed`: rows are re-laid as they are placed, to about the file's size if `small`; the format must have a layout.
  Matrix(const FormatInfo& format, const Extent& extent, std::int64_t row_bytes, bool packed = false,
         bool small = false);

  const FormatInfo& format() const { return format_; }
  std::int64_t experts() const { return extent_.experts; }
  std::int64_t rows() const { return extent_.rows; }
  std::int64_t columns() const { return extent_.columns; }
  int halves() const { return extent_.halves; }
  std::int64_t row_bytes() const { return row_bytes_; }
  /// Bytes of the weight as it is held.
  std::size_t size() const { return size_; }
  /// Whether there are rows to read: memory was reserved or mapped.
  bool filled() const { return data_ != nullptr; }
  /// How groups of rows lie; Store::none: as the file has them.
  Store store() const { return store_; }
  /// What activations must look like to meet it.
  Packing packing() const { return packing_of(format_, store_); }

  /// Own memory for the rows, zero at first.
  void allocate();

  /// Takes row-form bytes of rows first_row ..; rows of all experts are numbered through. Safe from several threads
  /// for disjoint rows. Errors: std::invalid_argument for rows that are not there.
  void place(std::int64_t first_row, std::span<const std::uint8_t> bytes);

  /// The rows' own memory, to be filled instead of placing. Errors: std::invalid_argument where rows are re-laid, or
  /// there is no memory yet.
  std::span<std::uint8_t> rows_in_place();

  /// Reads from memory that the caller keeps. Errors: std::invalid_argument for another size.
  void map(std::span<const std::uint8_t> bytes);

  /// Groups of 16 rows in one expert.
  std::int64_t groups() const { return extent_.halves * groups_per_half_; }
  std::int64_t groups_per_half() const { return groups_per_half_; }
  RowGroup group(std::int64_t index) const;

  const std::uint8_t* row(std::int64_t expert, std::int64_t row) const {
    return data_ + (expert * extent_.rows + row) * row_bytes_;
  }

  /// A packed group; its bytes are laid out as store.h says.
  const std::uint8_t* stream(std::int64_t expert, std::int64_t group) const {
    return data_ + (expert * groups() + group) * store_bytes_;
  }
  /// Where a row lies: its group, and its lane there.
  struct Lane {
    std::int64_t group;
    int lane;
  };
  Lane lane_of(std::int64_t row) const;

  /// All numbers of one row, which is not packed.
  void decode_row(std::int64_t expert, std::int64_t row, float* out) const;

  /// Bytes a product reads for one group.
  std::int64_t group_bytes() const { return store_ == Store::none ? kRows * row_bytes_ : store_bytes_; }

 private:
  void pack_one(std::int64_t row, const std::uint8_t* bytes);
  void ask_for_next(const std::uint8_t* group, int lane) const;

  const FormatInfo& format_;
  Extent extent_;
  std::int64_t row_bytes_;
  std::int64_t groups_per_half_;
  Store store_;
  std::int64_t store_bytes_;  // of a group
  std::size_t file_size_;
  std::size_t size_;
  Buffer memory_;
  const std::uint8_t* data_ = nullptr;
};

/// All of a vector's or bias's numbers as floats, rows one after another.
std::unique_ptr<Buffer> floats_of(const Matrix& matrix);

}  // namespace harness
