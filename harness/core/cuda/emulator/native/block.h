// One block while it runs: its threads, warps, shared memory and pending copies.
#pragma once
#include <array>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

#include "simt.h"

namespace simt {

struct Warp;

enum class State { ready, at_barrier, at_collective, done };

struct PendingCopy {
  void* shared;
  const void* global;
  unsigned n_bytes, n_source_bytes;
};

// cp.async of one thread: `group_ends[i]` is the index one past group i.
struct CopyQueue {
  std::vector<PendingCopy> copies;
  std::vector<size_t> group_ends;
};

struct Thread {
  void* stack_pointer = nullptr;
  char* stack = nullptr;
  Warp* warp = nullptr;
  Dim3 index{};
  unsigned linear = 0, lane = 0;
  State state = State::ready;
  const char* where = "";
  unsigned mask = 0;
  WarpOperation operation = nullptr;
  void* args = nullptr;
  CopyQueue async;
};

struct Warp {
  std::array<Thread*, warp_lanes> lanes{};
  unsigned live = 0, arrived = 0;
  uint32_t epoch = 0;  // counts collectives: orders this warp's lanes for the checker
};

class Block {
 public:
  Block(Dim3 index, Dim3 extent, Dim3 grid, unsigned n_dynamic_shared, Schedule schedule, std::mt19937& random);
  void run(ThreadMain main, void* args);

  int barrier(int predicate, const char* where);
  void collective(unsigned mask, WarpOperation operation, void* args, const char* where);
  void* static_shared(const void* site, size_t n_bytes, size_t alignment);
  bool owns_shared(uintptr_t address) const;
  bool in_allocated_shared(uintptr_t address, size_t n_bytes) const;
  [[noreturn]] void thread_end();

  const Dim3 index, extent, grid;
  const unsigned linear;
  const Schedule schedule;
  std::mt19937& random;
  uint32_t epoch = 0;  // counts barriers: orders the block's threads for the checker
  void* dynamic_shared() const { return shared_; }

 private:
  void yield();
  void resume(Thread& thread);
  bool run_warp(Warp& warp);
  bool release_after_exits();
  void release_barrier();
  void report_deadlock() const;

  static constexpr size_t shared_capacity = 256 * 1024;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  unsigned live_, at_barrier_ = 0;
  int predicates_ = 0, predicates_of_last_ = 0;
  const char* barrier_where_ = "";
  char* shared_;
  size_t n_dynamic_, n_used_;
  std::unordered_map<const void*, void*> static_sites_;
};

extern thread_local Block* current_block;
extern thread_local Thread* current_thread;
bool launch_failed();
void record_failure(const char* message);

// In the checking build: report a bad access of the current thread. Elsewhere: nothing.
void check_access(const void* address, unsigned n_bytes, bool is_write);
void check_new_launch();

}  // namespace simt
