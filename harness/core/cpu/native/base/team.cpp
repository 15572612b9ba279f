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
// Who is this late has lost its core to somebody else, for whom the system takes some milliseconds. Where workers are
// loose already they are soon helped.
constexpr std::chrono::nanoseconds kLate = std::chrono::milliseconds(1);
constexpr std::chrono::nanoseconds kLateLoose = std::chrono::microseconds(50);
constexpr auto kLoose = std::chrono::seconds(1);

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

/// Thread 0: the calling one.
void allow(int thread_id, const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  (void)sched_setaffinity(thread_id, sizeof set, &set);  // advice: a denied request costs speed only
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
  Pinned(const std::vector<int>& cores, bool pin) : active_(!cores.empty()) {
    if (!active_) return;
    active_ = sched_getaffinity(0, sizeof before_, &before_) == 0;
    if (active_ && pin) allow(0, {cores[0]});
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
    : count_(std::max(1, n_threads)),
      usable_(usable_cores()),
      cores_(cores_for(count_, usable_)),
      shares_(static_cast<std::size_t>(count_)),
      thread_ids_(static_cast<std::size_t>(count_)) {
  for (int index = 1; index < count_; ++index) threads_.emplace_back([this, index] { serve(index); });
}

Team::~Team() {
  stopping_ = true;
  advance(region_, sleeping_);
  for (std::thread& thread : threads_) thread.join();
}

void Team::start(Body body, void* argument) {
  tighten();
  const Pinned pinned(cores_, !loose_);
  known(0, gettid());
  body_ = body;
  argument_ = argument;
  advance(region_, sleeping_);
  Worker worker(*this, 0);
  body(argument, worker);
  worker.barrier();
  known(0, 0);  // who was the last to wait may still be about to move the others
}

void Team::serve(int index) {
  if (!cores_.empty()) allow(0, {cores_[static_cast<std::size_t>(index)]});
  known(index, gettid());
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
  while (!spin_until(changed, kSpins, kAwake)) sleep_at(region_, seen, sleeping_);
}

void Team::barrier() {
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == count_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    advance(generation_, waiting_);
    return;
  }
  const auto released = [&] { return generation_.load(std::memory_order_acquire) != generation; };
  if (spin_until(released, kSpins, loose_.load(std::memory_order_relaxed) ? kLateLoose : kLate)) return;
  loosen();
  while (!released()) sleep_at(generation_, generation, waiting_);
}

void Team::known(int index, int thread_id) {
  const std::lock_guard<std::mutex> lock(placing_);
  thread_ids_[static_cast<std::size_t>(index)] = thread_id;
}

/// Lets every worker run wherever there is room.
void Team::loosen() {
  if (cores_.empty() || loose_.exchange(true)) return;
  const std::lock_guard<std::mutex> lock(placing_);
  for (const int id : thread_ids_) {
    if (id != 0) allow(id, usable_);
  }
}

/// Some time later every worker gets its core again; the caller's is Pinned.
void Team::tighten() {
  const auto now = std::chrono::steady_clock::now();
  if (!loose_) {
    tight_ = now;
  } else if (now - tight_ > kLoose) {
    const std::lock_guard<std::mutex> lock(placing_);
    for (std::size_t index = 1; index < thread_ids_.size(); ++index) {
      if (thread_ids_[index] != 0) allow(thread_ids_[index], {cores_[index]});
    }
    loose_ = false;
  }
}

}  // namespace harness
