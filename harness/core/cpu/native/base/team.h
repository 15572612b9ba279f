// The threads that run a program: one parallel region per ubatch, the caller being worker 0.
// Units of work are taken from one atomic counter, so a thread that is held up costs its share and no more.
#pragma once
#include <atomic>
#include <cstdint>
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

  /// f() on worker 0 while the others wait.
  template <class F>
  void once(F&& f) {
    if (index_ == 0) f();
    barrier();
  }

  void barrier();

 private:
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

  void start(Body body, void* argument);
  void serve(int index);
  void barrier();
  void wait_for_region(std::uint32_t seen);

  int count_;
  std::vector<int> cores_;  // empty: workers are not pinned
  std::vector<std::thread> threads_;
  Body body_ = nullptr;
  void* argument_ = nullptr;
  bool stopping_ = false;

  alignas(64) std::atomic<std::uint32_t> region_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  alignas(64) std::atomic<std::int64_t> next_{0};
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
  for (;;) {
    const std::int64_t unit = team_.next_.fetch_add(1, std::memory_order_relaxed);
    if (unit >= units) break;
    f(unit);
  }
  team_.barrier();
}

inline int Worker::count() const { return team_.count_; }

inline void Worker::barrier() {
  if (team_.count_ > 1) team_.barrier();
}

/// The cores this process may use, ascending.
std::vector<int> usable_cores();

}  // namespace harness
