#include "base/team.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/spin.h"

namespace harness {
namespace {

// Who is waited for mostly comes within microseconds; after that the core may be needed by whoever is late.
constexpr int kAtOnce = 64;
constexpr int kSpins = 400;
constexpr auto kAwake = std::chrono::milliseconds(1);

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

/// Until `word` is no longer `value`, or is woken for nothing. `sleeping` counts those who do.
void sleep_at(std::atomic<std::uint32_t>& word, std::uint32_t value, std::atomic<int>& sleeping) {
  sleeping.fetch_add(1, std::memory_order_seq_cst);
  futex(word, FUTEX_WAIT_PRIVATE, value);  // returns at once where the word has changed meanwhile
  sleeping.fetch_sub(1, std::memory_order_seq_cst);
}

/// Changes `word`, for those who look at it and those who sleep.
void advance(std::atomic<std::uint32_t>& word, const std::atomic<int>& sleeping) {
  word.fetch_add(1, std::memory_order_seq_cst);
  if (sleeping.load(std::memory_order_seq_cst) > 0) futex(word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

/// Lets the calling thread run on these alone.
void allow(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  (void)sched_setaffinity(0, sizeof set, &set);  // advice: a denied request costs speed only
}

/// Cores for `count` workers: all usable ones, or the next `count` from where the caller runs, so that two
/// processes with few threads each do not meet on the same cores.
std::vector<int> cores_for(int count, std::vector<int> cores) {
  if (count < 2 || count > static_cast<int>(cores.size())) return {};
  const auto here = std::find(cores.begin(), cores.end(), sched_getcpu());
  if (count < static_cast<int>(cores.size()) && here != cores.end()) std::rotate(cores.begin(), here, cores.end());
  cores.resize(static_cast<std::size_t>(count));
  return cores;
}

/// Gives the calling thread back, at its end, the cores that it had; until then it is pinned to the first of `cores`.
class Pinned {
 public:
  explicit Pinned(const std::vector<int>& cores) : active_(!cores.empty()) {
    if (!active_) return;
    active_ = sched_getaffinity(0, sizeof before_, &before_) == 0;
    if (active_) allow({cores[0]});
  }
  ~Pinned() {
    if (active_) (void)sched_setaffinity(0, sizeof before_, &before_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_{};
  bool active_;
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
    : count_(std::max(1, n_threads)),
      cores_(cores_for(count_, usable_cores())),
      shares_(static_cast<std::size_t>(count_)) {
  for (int index = 1; index < count_; ++index) threads_.emplace_back([this, index] { serve(index); });
}

Team::~Team() {
  stopping_ = true;
  advance(region_, sleeping_);
  for (std::thread& thread : threads_) thread.join();
}

void Team::start(Body body, void* argument) {
  const Pinned pinned(cores_);
  body_ = body;
  argument_ = argument;
  advance(region_, sleeping_);
  Worker worker(*this, 0);
  worker.begun_ = begun_;
  body(argument, worker);
  region_.fetch_add(1, std::memory_order_seq_cst);  // from here on nobody enters
  spin_until([&] { return inside_.load(std::memory_order_seq_cst) == 0; }, kSpins);
  begun_ = worker.begun_;
}

void Team::serve(int index) {
  if (!cores_.empty()) allow({cores_[static_cast<std::size_t>(index)]});
  for (std::uint32_t region = 0;;) {
    region = region_after(region);
    if (stopping_) return;
    inside_.fetch_add(1, std::memory_order_seq_cst);
    if (region_.load(std::memory_order_seq_cst) == region) {
      Worker worker(*this, index);
      worker.begun_ = begun_;
      body_(argument_, worker);
    }
    inside_.fetch_sub(1, std::memory_order_release);
  }
}

/// The next open region.
std::uint32_t Team::region_after(std::uint32_t seen) {
  std::uint32_t region = 0;
  const auto opened = [&] {
    region = region_.load(std::memory_order_acquire);
    return region % 2 == 1 && region != seen;
  };
  while (!spin_until(opened, kSpins, kAwake)) sleep_at(region_, region, sleeping_);
  return region;
}

bool Team::over_at_once(std::int64_t end) const {
  for (int i = 0; i < kAtOnce; ++i) {
    if (over(end)) return true;
    pause();
  }
  return false;
}

bool Team::over_within(std::int64_t end, Clock::duration limit) const {
  return spin_until([&] { return over(end); }, kSpins, limit);
}

void Team::wait_until_over(std::int64_t end) const {
  spin_until([&] { return over(end); }, kSpins);
}

}  // namespace harness
