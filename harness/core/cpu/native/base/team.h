// The threads that run a program: one parallel region per ubatch, the caller being worker 0.
//
// A region is a sequence of phases, each of so many units. Every worker has a run of adjoining units of its own, so
// that it reads memory front to back and takes units without touching another core's cache; who is done early takes
// from the others. A phase is over when its units are done, not when all workers have come: one that has lost its core
// to another process keeps nobody waiting. Its units are taken by others, the one in its hands is made again, and when
// it is back it passes through the phases that are over to the one that all are in.
//
// Units are numbered through over all phases of a team's life, so that a number says which phase it belongs to, and who
// is late can neither take nor keep anything of a phase that it mistakes for its own.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace harness {

class Team;

/// One thread's view of the region it is in.
///
/// All workers call the same phases in the same order, so what decides which must be written once in a region, in a
/// phase before.
class Worker {
 public:
  Worker(Team& team, int index) : team_(team), index_(index) {}

  int index() const { return index_; }

  /// Calls f(unit) for 0 <= unit < units, each once over all workers, and returns when all are done.
  template <class F>
  void for_each(std::int64_t units, F&& f);

  /// The same in two parts: make(unit) writes this worker's own memory and nothing else, keep(unit) brings the result
  /// to where it belongs. A unit may be made several times, also when others have gone on and what it reads is written
  /// anew; it is kept once, by one that made it in time.
  template <class Make, class Keep>
  void for_each(std::int64_t units, Make&& make, Keep&& keep);

  /// The first unit of this worker's own run in a for_each.
  std::int64_t first_of(std::int64_t units) const;

  /// f() on one worker while the others wait.
  template <class F>
  void once(F&& f) {
    for_each(1, [&](std::int64_t) { f(); });
  }

 private:
  friend class Team;

  /// Units first .. end of all that the team ever does.
  struct Phase {
    std::int64_t first;
    std::int64_t end;
  };

  Phase next(std::int64_t units);
  bool take(const Phase& phase, int owner, bool spares, std::int64_t& unit);
  template <class Work>
  void share_out(const Phase& phase, Work&& work);
  int owner_after(int step) const;
  void did(std::int64_t n);

  // A worker that keeps others waiting for longer than this, or than two of their units take, has lost its core.
  static constexpr std::chrono::microseconds kPatience{50};

  Team& team_;
  int index_;
  std::int64_t begun_ = 0;  // units of all phases up to this one
};

/// `n_threads` workers, the caller among them; a core each where there are enough.
class Team {
 public:
  explicit Team(int n_threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int count() const { return count_; }

  /// Runs body(worker) on the workers that come in time; returns when the caller and they have returned. One caller at
  /// a time.
  template <class F>
  void run(F&& body) {
    start([](void* f, Worker& worker) { (*static_cast<F*>(f))(worker); }, &body);
  }

 private:
  friend class Worker;
  using Body = void (*)(void*, Worker&);
  using Clock = std::chrono::steady_clock;

  /// What the others see of a worker.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};    // the first of its own units that is free, or one of a phase before
    std::atomic<std::int64_t> hands{-1};  // twice the unit that it makes; one more when that may no longer be kept
    std::atomic<std::int64_t> done{0};    // how many units it has done, in the team's life
  };

  void start(Body body, void* argument);
  void serve(int index);
  std::uint32_t region_after(std::uint32_t seen);
  Share& share(int index) { return shares_[static_cast<std::size_t>(index)]; }
  bool keeps(int maker, std::int64_t unit);
  bool over(std::int64_t end) const;
  bool over_at_once(std::int64_t end) const;
  bool over_within(std::int64_t end, Clock::duration limit) const;
  void wait_until_over(std::int64_t end) const;

  int count_;
  std::vector<int> cores_;     // one per worker, which is pinned to it; empty: they are not
  std::vector<Share> shares_;  // one per worker
  std::vector<std::thread> threads_;
  Body body_ = nullptr;
  void* argument_ = nullptr;
  std::int64_t begun_ = 0;  // units of all regions before
  bool stopping_ = false;

  alignas(64) std::atomic<std::uint32_t> region_{0};  // odd while one is open
  alignas(64) std::atomic<int> sleeping_{0};
  alignas(64) std::atomic<int> inside_{0};  // workers in the region, besides the caller
};

template <class F>
void Worker::for_each(std::int64_t units, F&& f) {
  const Phase phase = next(units);
  if (team_.over(phase.end)) return;
  share_out(phase, [&](int owner, bool spares) {
    std::int64_t n = 0;
    for (std::int64_t unit = 0; take(phase, owner, spares, unit); ++n) f(unit - phase.first);
    if (n > 0) did(n);
  });
  team_.wait_until_over(phase.end);
}

template <class Make, class Keep>
void Worker::for_each(std::int64_t units, Make&& make, Keep&& keep) {
  const Phase phase = next(units);
  if (team_.over(phase.end)) return;
  const auto make_for = [&](int maker, std::int64_t unit) {
    make(unit - phase.first);
    if (!team_.keeps(maker, unit)) return;
    keep(unit - phase.first);
    did(1);
  };
  std::int64_t n = 1;
  const auto begin = Team::Clock::now();
  share_out(phase, [&](int owner, bool spares) {
    for (std::int64_t unit = 0; take(phase, owner, spares, unit); ++n) {
      team_.share(index_).hands.store(2 * unit, std::memory_order_release);
      make_for(index_, unit);
    }
  });
  const auto patience = std::max<Team::Clock::duration>(kPatience, 2 * (Team::Clock::now() - begin) / n);
  while (!team_.over_within(phase.end, patience)) {
    for (int step = 1; step < team_.count_; ++step) {
      const int maker = owner_after(step);
      const std::int64_t hands = team_.share(maker).hands.load(std::memory_order_acquire);
      if (hands % 2 == 0 && hands / 2 >= phase.first && hands / 2 < phase.end) make_for(maker, hands / 2);
    }
  }
}

/// work(owner, whether to leave it its only unit) for this worker and then the others, and once more where they do not
/// come.
template <class Work>
void Worker::share_out(const Phase& phase, Work&& work) {
  for (int step = 0; step < team_.count_; ++step) work(owner_after(step), step > 0);
  if (team_.over_at_once(phase.end)) return;
  for (int step = 1; step < team_.count_; ++step) work(owner_after(step), false);
}

/// The next phase, for this worker.
inline Worker::Phase Worker::next(std::int64_t units) {
  const Phase phase{begun_, begun_ + std::max<std::int64_t>(units, 0)};
  begun_ = phase.end;
  return phase;
}

/// The next unit of `owner`'s run, if one is left for this worker. Where it `spares` the owner, a run of one unit is
/// left to it, who will have begun by now.
inline bool Worker::take(const Phase& phase, int owner, bool spares, std::int64_t& unit) {
  const std::int64_t count = team_.count_;
  const std::int64_t units = phase.end - phase.first;
  const std::int64_t first = phase.first + (owner * units + count - 1) / count;
  const std::int64_t last = phase.first + ((owner + 1) * units + count - 1) / count;
  if (last - first <= (spares ? 1 : 0)) return false;
  std::atomic<std::int64_t>& next = team_.share(owner).next;
  std::int64_t seen = next.load(std::memory_order_relaxed);
  do {
    unit = std::max(seen, first);
    if (unit >= last) return false;
  } while (!next.compare_exchange_weak(seen, unit + 1, std::memory_order_relaxed));
  return true;
}

inline int Worker::owner_after(int step) const { return (index_ + step) % team_.count_; }

inline void Worker::did(std::int64_t n) {
  std::atomic<std::int64_t>& done = team_.share(index_).done;
  done.store(done.load(std::memory_order_relaxed) + n, std::memory_order_release);
}

inline std::int64_t Worker::first_of(std::int64_t units) const {
  return (index_ * units + team_.count_ - 1) / team_.count_;
}

/// Whether all units before `end` are done. Counts only grow, so those that are seen one after another are not too
/// many.
inline bool Team::over(std::int64_t end) const {
  std::int64_t done = 0;
  for (const Share& each : shares_) done += each.done.load(std::memory_order_acquire);
  return done >= end;
}

/// Whether a unit that `maker` has in its hands is to be kept by the caller, and by nobody else.
inline bool Team::keeps(int maker, std::int64_t unit) {
  std::int64_t made = 2 * unit;
  return share(maker).hands.compare_exchange_strong(made, made + 1, std::memory_order_acq_rel);
}

/// The cores this process may use, ascending.
std::vector<int> usable_cores();

}  // namespace harness
