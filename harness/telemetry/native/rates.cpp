#include "rates.h"

#include <algorithm>
#include <vector>

#include "team.h"

namespace limits {

double rate(const Rate& kind, int n_threads, double seconds) {
  long rounds = 20000;
  std::vector<double> done(static_cast<size_t>(n_threads));
  const auto run = [&] {
    return timed(n_threads, [&](int index) { done[static_cast<size_t>(index)] = kind.macs(rounds); });
  };
  const double probe = std::max(run(), 1e-6);
  rounds = std::max(rounds, static_cast<long>(static_cast<double>(rounds) * seconds / probe));
  const double took = run();
  double sum = 0;
  for (double macs : done) sum += macs;
  return sum / took;
}

}  // namespace limits
