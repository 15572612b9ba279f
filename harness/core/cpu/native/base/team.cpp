#include "base/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/spin.h"

namespace harness {
namespace {

// A barrier that is met late is mostly met within microseconds; after that the core may be needed by whoever is late.
constexpr int kSpins = 400;
constexpr auto kAwake = std::chrono::milliseconds(1);

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  (void)sched_setaffinity(0, sizeof set, &set);  // advice: a denied request costs speed only
}

/// Cores for `count` workers: all usable ones, or the next `count` from where the caller runs, so that two
/// processes with few threads each do not meet on the same cores.
std::vector<int> cores_for(int count) {
  std::vector<int> cores = usable_cores();
  if (count < 2 || count > static_cast<int>(cores.size())) return {};
  const auto here = std::find(cores.begin(), cores.end(), sched_getcpu());
  if (count < static_cast<int>(cores.size()) && here != cores.end()) std::rotate(cores.begin(), here, cores.end());
  cores.resize(static_cast<std::size_t>(count));
  return cores;
}

/// Pins the calling thread while it lives, and gives it its cores back afterwards.
class Pinned {
 public:
  explicit Pinned(const std::vector<int>& cores) : active_(!cores.empty()) {
    if (!active_) return;
    active_ = sched_getaffinity(0, sizeof before_, &before_) == 0;
    if (active_) pin(cores[0]);
  }
  ~Pinned() {
    if (active_) (void)sched_setaffinity(0, sizeof before_, &before_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  bool active_;
  cpu_set_t before_{};
};

}  // namespace

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

Team::Team(int n_threads)
    : count_(std::max(1, n_threads)), cores_(cores_for(count_)), shares_(static_cast<std::size_t>(count_)) {
  for (int index = 1; index < count_; ++index) threads_.emplace_back([this, index] { serve(index); });
}

Team::~Team() {
  stopping_ = true;
  region_.fetch_add(1, std::memory_order_seq_cst);
  futex(region_, FUTEX_WAKE_PRIVATE, INT32_MAX);
  for (std::thread& thread : threads_) thread.join();
}

void Team::start(Body body, void* argument) {
  const Pinned pinned(cores_);
  body_ = body;
  argument_ = argument;
  region_.fetch_add(1, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) futex(region_, FUTEX_WAKE_PRIVATE, INT32_MAX);
  Worker worker(*this, 0);
  body(argument, worker);
  worker.barrier();
}

void Team::serve(int index) {
  if (!cores_.empty()) pin(cores_[static_cast<std::size_t>(index)]);
  Worker worker(*this, index);
  for (std::uint32_t seen = 0;; ++seen) {
    wait_for_region(seen);
    if (stopping_) return;
    body_(argument_, worker);
    worker.barrier();
  }
}

void Team::wait_for_region(std::uint32_t seen) {
  const auto changed = [&] { return region_.load(std::memory_order_acquire) != seen; };
  while (!spin_until(changed, kSpins, kAwake)) {
    sleeping_.fetch_add(1, std::memory_order_seq_cst);
    futex(region_, FUTEX_WAIT_PRIVATE, seen);  // returns at once where the region has changed meanwhile
    sleeping_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

void Team::barrier() {
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == count_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    return;
  }
  const auto released = [&] { return generation_.load(std::memory_order_acquire) != generation; };
  spin_until(released, kSpins);
}

}  // namespace harness
