// What base/team.h promises, one case per name; ends with a sentence and a status where it is broken.
#include "base/team.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

namespace {

using harness::Team;
using harness::Worker;
using Clock = std::chrono::steady_clock;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

void wait_for(const std::atomic<bool>& flag, const char* what) {
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (!flag.load()) expect(Clock::now() < end, what);
}

/// Numbers that depend on all those of the phase before, and on what is only known in it.
class Chain {
 public:
  Chain(int workers, std::int64_t units)
      : units_(units),
        numbers_(static_cast<std::size_t>(units), 1),
        later_(static_cast<std::size_t>(units)),
        own_(static_cast<std::size_t>(workers)) {}

  void make(const Worker& worker, std::int64_t unit) {
    own_[static_cast<std::size_t>(worker.index())].number = next(unit);
  }
  void keep(const Worker& worker, std::int64_t unit) {
    later_[static_cast<std::size_t>(unit)] += own_[static_cast<std::size_t>(worker.index())].number;
  }
  /// What make() and keep() do, at once.
  void both(std::int64_t unit) { later_[static_cast<std::size_t>(unit)] += next(unit); }
  void go_on() {
    std::copy(later_.begin(), later_.end(), numbers_.begin());
    std::fill(later_.begin(), later_.end(), 0);  // a unit that is kept twice, or never, is seen
  }
  std::int64_t units() const { return units_; }
  const std::vector<std::uint64_t>& numbers() const { return numbers_; }

 private:
  static constexpr int kTimes = 40;  // microseconds, in which a thread can be held

  struct alignas(64) Own {
    std::uint64_t number;
  };

  std::uint64_t next(std::int64_t unit) const {
    std::uint64_t sum = static_cast<std::uint64_t>(unit);
    for (int i = 0; i < kTimes; ++i) {
      for (const std::uint64_t number : numbers_) sum = std::rotl(sum ^ number, 23) * 0x9E3779B97F4A7C15U;
    }
    return sum;
  }

  std::int64_t units_;
  std::vector<std::uint64_t> numbers_;
  std::vector<std::uint64_t> later_;
  std::vector<Own> own_;
};

/// Phases of every kind, some of fewer units than workers.
void play(Worker& worker, Chain& chain, int phases) {
  for (int phase = 0; phase < phases; ++phase) {
    if (phase % 3 == 0) {
      worker.for_each(chain.units(), [&](std::int64_t unit) { chain.both(unit); });
    } else {
      worker.for_each(
          chain.units(), [&](std::int64_t unit) { chain.make(worker, unit); },
          [&](std::int64_t unit) { chain.keep(worker, unit); });
    }
    worker.for_each(0, [](std::int64_t) { std::abort(); });
    worker.once([&] { chain.go_on(); });
  }
}

std::vector<std::uint64_t> played(int workers, std::int64_t units, int regions, int phases) {
  Team team(workers);
  Chain chain(workers, units);
  for (int region = 0; region < regions; ++region) team.run([&](Worker& worker) { play(worker, chain, phases); });
  return chain.numbers();
}

void every_unit_is_kept_once() {
  for (const std::int64_t units : {1, 2, 3, 7, 64}) {
    const auto expected = played(1, units, 20, 50);
    for (const int workers : {2, 3, 5}) {
      expect(played(workers, units, 20, 50) == expected, "threads changed what a chain of phases gives");
    }
  }
}

/// Worker 1 is held in its first unit until worker 0 has come to the end of the region, alone.
void who_lost_its_core_keeps_nobody_waiting() {
  Team team(2);
  std::atomic<bool> is_held{false};
  std::atomic<bool> is_through{false};
  std::vector<int> kept(8);
  int late = 0;
  team.run([&](Worker& worker) {
    worker.for_each(
        8,
        [&](std::int64_t) {
          if (worker.index() == 0) return wait_for(is_held, "worker 1 never came");
          if (is_held.exchange(true)) return;
          wait_for(is_through, "worker 0 waits for one that has lost its core");
        },
        [&](std::int64_t unit) {
          ++kept[static_cast<std::size_t>(unit)];
          late += worker.index() == 1;
        });
    for (int phase = 0; phase < 100; ++phase) worker.for_each(3, [](std::int64_t) {});
    if (worker.index() == 0) is_through = true;
  });
  expect(kept == std::vector<int>(8, 1), "a unit was not kept once");
  expect(late == 0, "a unit was kept that others had made again");
}

/// What is not made apart from being kept is waited for.
void a_unit_of_one_part_is_waited_for() {
  Team team(2);
  std::atomic<bool> is_begun{false};
  int done = 0;
  team.run([&](Worker& worker) {
    worker.for_each(2, [&](std::int64_t unit) {
      if (unit == 0) return wait_for(is_begun, "nobody takes the other unit");
      is_begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      done = 1;
    });
    expect(done == 1, "a phase was over before its units were");
  });
}

std::atomic<std::int64_t> held{0};

/// Signals hold threads for milliseconds wherever they are, as a busy machine does.
void threads_that_lose_their_cores_anywhere_change_nothing() {
  constexpr int kWorkers = 3;
  struct sigaction action {};
  action.sa_handler = [](int) {
    held.fetch_add(1);
    usleep(1500);
  };
  sigaction(SIGUSR1, &action, nullptr);
  const auto expected = played(1, 24, 500, 60);
  std::vector<pthread_t> threads(kWorkers);
  Chain chain(kWorkers, 24);
  Team team(kWorkers);
  std::atomic<bool> known[kWorkers] = {};
  team.run([&](Worker& worker) {
    threads[static_cast<std::size_t>(worker.index())] = pthread_self();
    known[worker.index()] = true;
    for (const auto& one : known) wait_for(one, "a worker never came");
  });
  std::atomic<bool> stopping{false};
  std::thread disturbing([&] {
    for (std::uint32_t i = 1; !stopping; i = i * 1664525U + 1013904223U) {
      pthread_kill(threads[(i >> 16) % kWorkers], SIGUSR1);
      usleep(300 + (i >> 20) % 700);
    }
  });
  for (int region = 0; region < 500; ++region) team.run([&](Worker& worker) { play(worker, chain, 60); });
  stopping = true;
  disturbing.join();
  expect(chain.numbers() == expected, "a thread that lost its core changed what a chain of phases gives");
  expect(held > 20, "threads were hardly held");
}

}  // namespace

int main(int n, char** words) {
  const std::map<std::string, std::function<void()>> cases = {
      {"every_unit_is_kept_once", every_unit_is_kept_once},
      {"who_lost_its_core_keeps_nobody_waiting", who_lost_its_core_keeps_nobody_waiting},
      {"a_unit_of_one_part_is_waited_for", a_unit_of_one_part_is_waited_for},
      {"threads_that_lose_their_cores_anywhere_change_nothing", threads_that_lose_their_cores_anywhere_change_nothing},
  };
  if (n == 1) {
    for (const auto& [name, play_it] : cases) std::puts(name.c_str());
    return 0;
  }
  cases.at(words[1])();
}
