#include "team.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace limits {

namespace {

std::vector<int> cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> found;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
    }
  }
  if (found.empty()) found.push_back(0);
  return found;
}

void bind(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);  // a refusal costs accuracy only
}

}  // namespace

int usable_cores() { return static_cast<int>(cores().size()); }

double timed(int n_threads, const std::function<void(int)>& work) {
  const std::vector<int> places = cores();
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> team;
  for (int i = 0; i < n_threads; ++i) {
    team.emplace_back([&, i] {
      bind(places[static_cast<size_t>(i) % places.size()]);
      ready.fetch_add(1);
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      work(i);
    });
  }
  while (ready.load() < n_threads) std::this_thread::yield();
  const auto start = std::chrono::steady_clock::now();
  go.store(true, std::memory_order_release);
  for (std::thread& member : team) member.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace limits
