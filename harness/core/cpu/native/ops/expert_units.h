// Units of work for several experts, each with tokens of its own.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "ops/routing.h"

namespace harness {

/// Experts first .. last of those a routing uses.
struct ExpertSpan {
  std::size_t first;
  std::size_t last;
};

inline std::int64_t divided_up(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }

/// Numbers units of work through over several experts, each with its own count.
class UnitMap {
 public:
  template <class CountOf>
  UnitMap(const ExpertSpan& experts, CountOf count_of) : first_(experts.first) {
    std::int64_t end = 0;
    for (std::size_t i = experts.first; i < experts.last; ++i) ends_.push_back(end += count_of(i));
  }

  std::int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }

  struct Found {
    std::size_t expert;  // its place among the used ones
    std::int64_t unit;   // within the expert
  };
  Found find(std::int64_t unit) const {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), unit);
    const auto index = static_cast<std::size_t>(end - ends_.begin());
    return {first_ + index, unit - (index == 0 ? 0 : ends_[index - 1])};
  }

 private:
  std::size_t first_;
  std::vector<std::int64_t> ends_;
};

/// Where an expert's pairs lie among packed activations: at their places, or all at the only token there is.
inline TokenRange inputs_of(const Workspace& workspace, const ExpertPairs& pairs, bool one_token) {
  return {one_token ? 0 : pairs.first, tiles_for(workspace, pairs.count)};
}

/// `matrix` with the tokens of each of `experts`; sink(pairs, ...) as of hand_over(), for all of one expert.
template <class Sink>
void multiply_experts(const Workspace& workspace, Worker& worker, const Matrix& matrix, const Routing& routing,
                      const ExpertSpan& experts, bool one_token, const Activations& activations, Sink&& sink) {
  const auto units_of = [&](std::size_t used) {
    return Units(workspace, matrix, inputs_of(workspace, routing.used[used], one_token));
  };
  const UnitMap map(experts, [&](std::size_t used) { return units_of(used).count(); });
  worker.for_each(
      map.count(),
      [&](std::int64_t unit) {
        const auto [used, within] = map.find(unit);
        multiply_unit(workspace, worker, matrix, routing.used[used].expert, units_of(used), within, activations);
      },
      [&](std::int64_t unit) {
        const auto [used, within] = map.find(unit);
        const auto of_expert = std::bind_front(sink, std::cref(routing.used[used]));
        hand_over(workspace, worker, matrix, units_of(used), within, of_expert);
      });
}

}  // namespace harness
