// Projections to queries, keys and values: bias, per-head norm, rotation, and keys and values into the cache.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/kv_cache.h"
#include "ops/product.h"

namespace harness {

enum class Rope : std::uint8_t { none, neox, norm };

/// cos and sin per position: float32 [positions][half] each.
struct RopeTable {
  const float* cosine = nullptr;
  const float* sine = nullptr;
  std::int64_t half = 0;
};

struct QkvParams {
  int n_head;
  float eps;
  Rope rope;
  RopeTable table;
};

/// One projection weight and its bias; its rows are a range of the concatenation q, k, v.
struct Projection {
  Weight weight;
  Weight bias;
};

class Qkv final : public Op {
 public:
  Qkv(Workspace& workspace, std::vector<Projection> projections, const Weight& q_norm, const Weight& k_norm,
      const QkvParams& params, KvCache& cache, Value h, Value q);
  void run(Worker& worker, const Step& step, const Range& range) override;

 private:
  void place_head(const Worker& worker, std::int64_t token, std::int64_t position, std::int64_t head);
  void turn(float* head, const Floats& norm, std::int64_t position) const;

  Workspace& workspace_;
  std::vector<Weight> weights_;
  std::vector<Floats> biases_;
  std::vector<std::int64_t> first_rows_;
  Floats q_norm_;
  Floats k_norm_;
  QkvParams params_;
  KvCache& cache_;
  Inputs inputs_;
  Value h_;
  Value q_;
  std::int64_t columns_;  // of q, k and v together
};

}  // namespace harness
