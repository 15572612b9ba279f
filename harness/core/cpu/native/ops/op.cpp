#include "ops/op.h"

#include <stdexcept>
#include <string>

namespace harness {

void expect(const char* role, const Matrix& matrix, std::int64_t experts, std::int64_t rows, std::int64_t columns) {
  if (!matrix.filled()) throw std::invalid_argument(std::string(role) + " has no memory yet");
  if (matrix.experts() == experts && matrix.rows() == rows && matrix.columns() == columns) return;
  const auto text = [](std::int64_t e, std::int64_t r, std::int64_t c) {
    return std::to_string(e) + " x " + std::to_string(r) + " x " + std::to_string(c);
  };
  throw std::invalid_argument(std::string(role) + " is " + text(matrix.experts(), matrix.rows(), matrix.columns()) +
                              " where " + text(experts, rows, columns) + " is needed");
}

Floats::Floats(const char* role, const Weight& matrix, std::int64_t count) {
  if (!matrix) return;
  if (matrix->experts() * matrix->rows() * matrix->columns() != count) {
    throw std::invalid_argument(std::string(role) + " does not hold " + std::to_string(count) + " numbers");
  }
  if (!matrix->filled()) throw std::invalid_argument(std::string(role) + " has no memory yet");
  if (matrix->store() != Store::none) throw std::invalid_argument(std::string(role) + " is packed, not plain rows");
  memory_ = floats_of(*matrix);
}

}  // namespace harness
