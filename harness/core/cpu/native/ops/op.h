// What a program is made of. Every worker calls run() of every operation in order; units are shared out inside.
#pragma once
#include <cstdint>
#include <memory>

#include "base/team.h"
#include "ops/workspace.h"

namespace harness {

/// One ubatch: `tokens` tokens enter at `position`.
struct Step {
  const std::int32_t* ids;
  std::int64_t tokens;
  std::int64_t position;
  float* logits;  // [outputs][n_vocab]
};

/// The tokens of the ubatch an operation has to deal with: after the last layer's keys and values are stored, only
/// those whose logits are wanted.
struct Range {
  std::int64_t first;
  std::int64_t count;
};

/// A value: [ubatch][columns] floats.
struct Value {
  float* data = nullptr;
  std::int64_t columns = 0;

  float* row(std::int64_t token) const { return data + token * columns; }
};

class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  virtual void run(Worker& worker, const Step& step, const Range& range) = 0;
};

using Weight = std::shared_ptr<const Matrix>;

/// Refuses a weight of another extent, or without memory. Errors: std::invalid_argument.
void expect(const char* role, const Matrix& matrix, std::int64_t experts, std::int64_t rows, std::int64_t columns);

/// A vector's or bias's numbers; empty where there is none.
class Floats {
 public:
  Floats() = default;
  /// Errors: std::invalid_argument for another count.
  Floats(const char* role, const Weight& matrix, std::int64_t count);

  const float* data() const { return memory_ ? memory_->as<float>() : nullptr; }
  const float* at(std::int64_t offset) const { return memory_ ? data() + offset : nullptr; }

 private:
  std::unique_ptr<Buffer> memory_;
};

}  // namespace harness
