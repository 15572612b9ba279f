#include "weights/matrix.h"

#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "weights/pack.h"

namespace harness {
namespace {

[[noreturn]] void refuse(const FormatInfo& format, const std::string& why) {
  throw std::invalid_argument(std::string(format.name) + " weight: " + why);
}

/// experts * rows * row_bytes, or 0 where that is not a size.
std::size_t checked_size(std::int64_t experts, std::int64_t rows, std::int64_t row_bytes) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(experts, rows, &rows) || __builtin_mul_overflow(rows, row_bytes, &bytes)) return 0;
  return static_cast<std::size_t>(bytes);
}

}  // namespace

Matrix::Matrix(const FormatInfo& format, const Extent& extent, std::int64_t row_bytes, bool packed, bool small)
    : format_(format),
      extent_(extent),
      row_bytes_(row_bytes),
      groups_per_half_(0),
      store_(!packed ? Store::none
             : small ? small_store_of(format)
                     : store_of(format)),
      store_bytes_(0),
      file_size_(0),
      size_(0) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  for (const std::int64_t n : {extent.experts, extent.rows, extent.columns}) {
    if (n < 1 || n > kMost) refuse(format, "an extent of " + std::to_string(n) + " is out of range");
  }
  if (extent.halves != 1 && extent.halves != 2) refuse(format, "has neither one nor two halves");
  if (extent.rows % extent.halves != 0) refuse(format, "two halves need an even number of rows");
  if (extent.columns % format.block != 0) {
    refuse(format, std::to_string(extent.columns) + " columns are not whole blocks of " + std::to_string(format.block));
  }
  if (row_bytes != format.row_bytes(extent.columns)) {
    refuse(format, std::to_string(extent.columns) + " columns take " +
                       std::to_string(format.row_bytes(extent.columns)) + " bytes, not " + std::to_string(row_bytes));
  }
  if (packed && store_ == Store::none) refuse(format, "has no packed layout");
  file_size_ = checked_size(extent.experts, extent.rows, row_bytes);
  groups_per_half_ = (extent.rows / extent.halves + kRows - 1) / kRows;
  store_bytes_ = packed ? harness::group_bytes(store_, extent.columns / kBlock) : 0;
  size_ = packed ? checked_size(extent.experts, groups(), store_bytes_) : file_size_;
  if (file_size_ == 0 || size_ == 0) refuse(format, "its size overflows");
}

void Matrix::allocate() {
  memory_ = Buffer(size_);
  data_ = memory_.as();
}

void Matrix::place(std::int64_t first_row, std::span<const std::uint8_t> bytes) {
  const auto row_bytes = static_cast<std::size_t>(row_bytes_);
  const std::int64_t all_rows = extent_.experts * extent_.rows;
  const std::size_t n_rows = bytes.size() / row_bytes;
  if (bytes.size() % row_bytes != 0 || first_row < 0 || first_row > all_rows ||
      n_rows > static_cast<std::size_t>(all_rows - first_row)) {
    refuse(format_, std::to_string(bytes.size()) + " bytes at row " + std::to_string(first_row) + " do not fit " +
                        std::to_string(all_rows) + " rows of " + std::to_string(row_bytes) + " bytes");
  }
  if (memory_.size() == 0) refuse(format_, "rows were placed before memory was reserved");
  if (bytes.empty()) return;
  if (store_ != Store::none) {
    for (std::size_t i = 0; i < n_rows; ++i) {
      pack_one(first_row + static_cast<std::int64_t>(i), bytes.data() + i * row_bytes);
    }
    return;
  }
  std::memcpy(memory_.as() + static_cast<std::size_t>(first_row) * row_bytes, bytes.data(), bytes.size());
}

std::span<std::uint8_t> Matrix::rows_in_place() {
  if (store_ != Store::none) refuse(format_, "is packed, so its rows have no place of their own");
  if (memory_.size() == 0) refuse(format_, "has no memory yet");
  return {memory_.as(), size_};
}

void Matrix::pack_one(std::int64_t row, const std::uint8_t* bytes) {
  const Lane to = lane_of(row % extent_.rows);
  std::uint8_t* group =
      memory_.as() + static_cast<std::size_t>((row / extent_.rows * groups() + to.group) * store_bytes_);
  ask_for_next(group, to.lane);
  pack_row(format_, store_, bytes, extent_.columns / kBlock, group, to.lane);
}

/// A row asks for a sixteenth of the group that is written next.
void Matrix::ask_for_next(const std::uint8_t* group, int lane) const {
  const std::int64_t share = (store_bytes_ / kRows + 63) / 64 * 64;
  const std::uint8_t* begin = group + store_bytes_ + lane * share;
  if (begin + share > memory_.as() + size_) return;
  for (std::int64_t line = 0; line < share; line += 64) __builtin_prefetch(begin + line, 1);
}

void Matrix::map(std::span<const std::uint8_t> bytes) {
  if (store_ != Store::none) refuse(format_, "cannot be both mapped and packed");
  if (bytes.size() != size_) {
    refuse(format_, "needs " + std::to_string(size_) + " bytes, but " + std::to_string(bytes.size()) + " were mapped");
  }
  data_ = bytes.data();
}

RowGroup Matrix::group(std::int64_t index) const {
  const std::int64_t height = extent_.rows / extent_.halves;
  const std::int64_t within = index % groups_per_half_ * kRows;
  const std::int64_t left = height - within;
  return {index / groups_per_half_ * height + within, static_cast<int>(left < kRows ? left : kRows)};
}

Matrix::Lane Matrix::lane_of(std::int64_t row) const {
  const std::int64_t height = extent_.rows / extent_.halves;
  const std::int64_t half = row / height;
  const std::int64_t within = row % height;
  return {half * groups_per_half_ + within / kRows, static_cast<int>(within % kRows)};
}

void Matrix::decode_row(std::int64_t expert, std::int64_t row_index, float* out) const {
  decode_floats(format_, row(expert, row_index), 0, extent_.columns, out);
}

std::unique_ptr<Buffer> floats_of(const Matrix& matrix) {
  const std::int64_t rows = matrix.experts() * matrix.rows();
  auto floats = std::make_unique<Buffer>(static_cast<std::size_t>(rows * matrix.columns()) * sizeof(float));
  for (std::int64_t row = 0; row < rows; ++row) {
    matrix.decode_row(0, row, floats->as<float>() + row * matrix.columns());
  }
  return floats;
}

}  // namespace harness
