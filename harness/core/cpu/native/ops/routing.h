// Which experts each token goes to, and the same seen from the experts.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/product.h"

namespace harness {

/// One expert's (token, slot) pairs: `count` places from `first` on.
struct ExpertPairs {
  std::int32_t expert;
  std::int64_t first;
  std::int64_t count;
};

/// Tokens' experts and weights, [token][slot], and the pairs sorted by expert.
struct Routing {
  int top_k = 1;
  std::vector<std::int32_t> experts;
  std::vector<float> weights;
  std::vector<std::int32_t> pairs;   // place -> token * top_k + slot, the token counted from the range's first
  std::vector<std::int32_t> tokens;  // place -> token
  std::vector<ExpertPairs> used;     // experts in ascending order, those without tokens left out

  /// Sorts the pairs of the first `n_tokens` tokens.
  void sort(std::int64_t n_tokens, int n_expert, std::vector<std::int64_t>& scratch);
};

enum class Gating : std::uint8_t { softmax, sigmoid, softmax_topk };

struct RouteParams {
  int n_expert;
  int top_k;
  Gating gating;
  bool renorm;
  float weight_scale;
};

/// Router logits -> the top_k experts of each token, ties to the lower one -> their weights.
class Route final : public Op {
 public:
  /// `counts` [n_expert] is where pairs are counted.
  Route(Workspace& workspace, Weight router, const Weight& bias, const RouteParams& params, std::int64_t* counts,
        Value h, Routing& routing);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  void choose(float* logits, float* scratch, std::int32_t* experts, float* weights) const;
  void gate(const float* logits, float* scratch, const std::int32_t* experts, float* weights) const;

  Workspace& workspace_;
  Weight router_;
  Floats bias_;
  RouteParams params_;
  std::int64_t* counts_;
  Inputs inputs_;
  Value h_;
  Routing& routing_;
  std::vector<std::int64_t> scratch_;
};

}  // namespace harness
