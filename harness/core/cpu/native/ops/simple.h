// Operations that work token by token or row by row: embedding, norm, and a product with bias and residual.
#pragma once
#include <cstdint>

#include "ops/product.h"

namespace harness {

/// x = the table's row of each token.
class Embed final : public Op {
 public:
  Embed(Workspace& workspace, Weight table, Value x);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  Workspace& workspace_;
  Weight table_;
  Value x_;
};

/// y = x / rms(x) * weight
class RmsNorm final : public Op {
 public:
  RmsNorm(Workspace& workspace, const Weight& weight, float eps, Value x, Value y);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  const Kernels& kernels_;
  Floats weight_;
  float eps_;
  Value x_;
  Value y_;
};

/// y = W x (+ bias) (+ residual)
class Linear final : public Op {
 public:
  Linear(Workspace& workspace, Weight weight, const Weight& bias, Value x, Value residual, Value y);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  Workspace& workspace_;
  Weight weight_;
  Floats bias_;
  Inputs inputs_;
  Value x_;
  Value residual_;
  Value y_;
};

/// The logits of the tokens that are wanted, into the caller's memory.
class Logits final : public Op {
 public:
  Logits(Workspace& workspace, Weight weight, Value x);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  Workspace& workspace_;
  Weight weight_;
  Inputs inputs_;
  Value x_;
};

}  // namespace harness
