// The threads that run a program: one parallel region per ubatch, the caller being worker 0.
// Every worker has a run of adjoining units of its own, so that it reads memory front to back and takes units without
// touching another core's cache; who is done early takes from the others. A thread that is preempted in the middle of a
// unit keeps the others waiting for that unit. Who has waited for long therefore sleeps and lets all threads go
// wherever there is room for some time, so that the system brings the one that is late to the core that has become
// free.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace harness {

class Team;

/// One thread's view of the region it is in.
class Worker {
 public:
  Worker(Team& team, int index) : team_(team), index_(index) {}

  int index() const { return index_; }
  int count() const;

  /// Calls f(unit) for 0 <= unit < units, each once over all workers, and returns when all are done.
  template <class F>
  void for_each(std::int64_t units, F&& f);

  /// The first unit of this worker's own run in a for_each.
  std::int64_t first_of(std::int64_t units) const;

  /// f() on worker 0 while the others wait.
  template <class F>
  void once(F&& f) {
    if (index_ == 0) f();
    barrier();
  }

  void barrier();

 private:
  bool take(int owner, std::int64_t units, std::size_t round, std::int64_t& unit);

  Team& team_;
  int index_;
};

/// `n_threads` workers, the caller among them; a core each where there are enough.
class Team {
 public:
  explicit Team(int n_threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int count() const { return count_; }

  /// Runs body(worker) on every worker; returns when all have returned. One caller at a time.
  template <class F>
  void run(F&& body) {
    start([](void* f, Worker& worker) { (*static_cast<F*>(f))(worker); }, &body);
  }

 private:
  friend class Worker;
  using Body = void (*)(void*, Worker&);

  /// How many of one worker's units are taken, in this for_each and, to be set back, in the one before.
  struct alignas(64) Share {
    std::atomic<std::int64_t> taken[2] = {0, 0};
    std::size_t round = 0;  // its owner's count of for_each, modulo 2
  };

  void start(Body body, void* argument);
  void serve(int index);
  void barrier();
  void wait_for_region(std::uint32_t seen);
  void known(int index, int thread_id);
  void loosen();
  void tighten();

  int count_;
  std::vector<int> usable_;    // cores
  std::vector<int> cores_;     // one per worker, which is pinned to it; empty: they are not
  std::vector<Share> shares_;  // one per worker
  std::vector<std::thread> threads_;
  std::mutex placing_;
  std::vector<int> thread_ids_;  // of the workers; 0 while it is nobody's or must not be moved
  Body body_ = nullptr;
  void* argument_ = nullptr;
  bool stopping_ = false;

  std::atomic<bool> loose_ = false;              // workers are not pinned for now
  std::chrono::steady_clock::time_point tight_;  // when they last were

  alignas(64) std::atomic<std::uint32_t> region_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  alignas(64) std::atomic<int> waiting_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
};

template <class F>
void Worker::for_each(std::int64_t units, F&& f) {
  if (units <= 0) return;
  if (team_.count_ == 1) {
    for (std::int64_t unit = 0; unit < units; ++unit) f(unit);
    return;
  }
  Team::Share& own = team_.shares_[static_cast<std::size_t>(index_)];
  const std::size_t round = own.round;
  own.round = 1 - round;
  own.taken[own.round].store(0, std::memory_order_relaxed);  // all left the for_each before at its barrier
  std::int64_t unit = 0;
  while (take(index_, units, round, unit)) f(unit);
  for (int step = 1; step < team_.count_; ++step) {
    const int owner = (index_ + step) % team_.count_;
    while (take(owner, units, round, unit)) f(unit);
  }
  team_.barrier();
}

/// The next unit of `owner`'s run, if one is left for this worker. A run of one unit is its owner's: it has begun by
/// now.
inline bool Worker::take(int owner, std::int64_t units, std::size_t round, std::int64_t& unit) {
  const std::int64_t count = team_.count_;
  const std::int64_t first = (owner * units + count - 1) / count;
  const std::int64_t last = ((owner + 1) * units + count - 1) / count;
  if (first == last || (owner != index_ && last - first == 1)) return false;
  std::atomic<std::int64_t>& taken = team_.shares_[static_cast<std::size_t>(owner)].taken[round];
  if (first + taken.load(std::memory_order_relaxed) >= last) return false;
  unit = first + taken.fetch_add(1, std::memory_order_relaxed);
  return unit < last;
}

inline std::int64_t Worker::first_of(std::int64_t units) const {
  return (index_ * units + team_.count_ - 1) / team_.count_;
}

inline int Worker::count() const { return team_.count_; }

inline void Worker::barrier() {
  if (team_.count_ > 1) team_.barrier();
}

/// The cores this process may use, ascending.
std::vector<int> usable_cores();

}  // namespace harness
