// The emulator's thread blocks: scheduling, barriers and collectives.
#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "fiber.h"

namespace simt {

thread_local Block* current_block;
thread_local Thread* current_thread;

namespace {
thread_local void* scheduler_stack;
thread_local ThreadMain thread_main;
thread_local void* thread_args;
thread_local StackPool stacks;
constexpr int poison = 0xff;  // float NaN, int -1

void enter_thread() {
  thread_main(thread_args);
  current_block->thread_end();
}

// Shared memory is mapped once per OS thread; every block finds it poisoned.
char* shared_memory(size_t capacity) {
  struct Mapping {
    char* memory = nullptr;
    size_t size = 0;
    ~Mapping() {
      if (memory != nullptr) munmap(memory, size);
    }
  };
  static thread_local Mapping mapping;
  if (mapping.memory == nullptr) {
    mapping.size = capacity;
    mapping.memory =
        static_cast<char*>(mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  return mapping.memory;
}
}  // namespace

Block::Block(Dim3 block_index, Dim3 block_extent, Dim3 grid_extent, unsigned n_dynamic_shared, Schedule order,
             std::mt19937& generator)
    : index(block_index),
      extent(block_extent),
      grid(grid_extent),
      linear(block_index.x + grid_extent.x * (block_index.y + grid_extent.y * block_index.z)),
      schedule(order),
      random(generator),
      threads_(static_cast<size_t>(extent.x) * extent.y * extent.z),
      warps_((threads_.size() + warp_lanes - 1) / warp_lanes),
      live_(static_cast<unsigned>(threads_.size())),
      shared_(shared_memory(shared_capacity)),
      n_dynamic_(n_dynamic_shared),
      n_used_(n_dynamic_shared) {
  memset(shared_, poison, shared_capacity);
  for (unsigned i = 0; i < threads_.size(); i++) {
    Thread& thread = threads_[i];
    Warp& warp = warps_[i / warp_lanes];
    thread.linear = i;
    thread.lane = i % warp_lanes;
    thread.index = {i % extent.x, i / extent.x % extent.y, i / (extent.x * extent.y)};
    thread.warp = &warp;
    thread.stack = stacks.stack(i);
    thread.stack_pointer = prepare_stack(thread.stack, i, enter_thread);
    warp.lanes[thread.lane] = &thread;
    warp.live |= 1U << thread.lane;
  }
}

void Block::run(ThreadMain main, void* args) {
  current_block = this;
  thread_main = main;
  thread_args = args;
  std::vector<size_t> order(warps_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (schedule == Schedule::reverse) std::reverse(order.begin(), order.end());
  while (live_ > 0 && !launch_failed()) {
    if (schedule == Schedule::random) std::shuffle(order.begin(), order.end(), random);
    bool progress = false;
    for (size_t warp : order) progress |= run_warp(warps_[warp]);
    if (!progress && live_ > 0 && !launch_failed() && !release_after_exits()) report_deadlock();
  }
  current_thread = nullptr;
  current_block = nullptr;
}

// Runs the warp's ready lanes again and again until none is ready: the others wait as long as they may.
bool Block::run_warp(Warp& warp) {
  std::array<int, warp_lanes> order{};
  std::iota(order.begin(), order.end(), 0);
  if (schedule == Schedule::reverse) std::reverse(order.begin(), order.end());
  bool progress = false;
  for (bool any = true; any;) {
    any = false;
    if (schedule == Schedule::random) std::shuffle(order.begin(), order.end(), random);
    for (int lane : order) {
      Thread* thread = warp.lanes[lane];
      if (thread == nullptr || thread->state != State::ready) continue;
      any = progress = true;
      resume(*thread);
      if (launch_failed()) return progress;
    }
  }
  return progress;
}

void Block::resume(Thread& thread) {
  current_thread = &thread;
  simt_switch(&scheduler_stack, thread.stack_pointer);
}

void Block::yield() { simt_switch(&current_thread->stack_pointer, scheduler_stack); }

void Block::thread_end() {
  Thread& thread = *current_thread;
  if (!thread.async.copies.empty()) record_failure("a thread ended with cp.async copies it never waited for");
  thread.state = State::done;
  thread.warp->live &= ~(1U << thread.lane);
  live_--;
  for (;;) yield();
}

int Block::barrier(int predicate, const char* where) {
  current_thread->where = where;
  current_thread->state = State::at_barrier;
  predicates_ += predicate != 0;
  if (at_barrier_ == 0) barrier_where_ = where;
  if (strcmp(barrier_where_, where) != 0) fail("%s: other threads of the block wait at %s", where, barrier_where_);
  if (++at_barrier_ == live_) {
    release_barrier();
  } else {
    yield();
  }
  return predicates_of_last_;
}

void Block::release_barrier() {
  predicates_of_last_ = predicates_;
  predicates_ = 0;
  at_barrier_ = 0;
  epoch++;
  for (Thread& thread : threads_) {
    if (thread.state == State::at_barrier) thread.state = State::ready;
  }
}

// A barrier also completes when the threads it still waits for have ended.
bool Block::release_after_exits() {
  if (at_barrier_ == 0 || at_barrier_ != live_) return false;
  release_barrier();
  return true;
}

void Block::collective(unsigned mask, WarpOperation operation, void* args, const char* where) {
  Thread& self = *current_thread;
  Warp& warp = *self.warp;
  self.where = where;
  if ((mask >> self.lane & 1U) == 0)
    fail("%s: lane %u calls with a mask %08x that leaves it out", where, self.lane, mask);
  if ((mask & ~warp.live) != 0) fail("%s: mask %08x names lanes that have ended (live %08x)", where, mask, warp.live);
  self.mask = mask;
  self.operation = operation;
  self.args = args;
  self.state = State::at_collective;
  warp.arrived |= 1U << self.lane;
  if ((warp.arrived & mask) != mask) {
    yield();
    return;
  }
  std::array<void*, warp_lanes> lane_args{};
  for (int lane = 0; lane < warp_lanes; lane++) {
    if ((mask >> lane & 1U) == 0) continue;
    const Thread& other = *warp.lanes[lane];
    if (other.mask != mask || other.operation != operation) {
      fail("%s: lane %d waits at %s with mask %08x", where, lane, other.where, other.mask);
    }
    lane_args[lane] = other.args;
  }
  if (operation != nullptr) operation(lane_args.data(), mask);
  warp.arrived &= ~mask;
  warp.epoch++;
  for (int lane = 0; lane < warp_lanes; lane++) {
    if ((mask >> lane & 1U) != 0) warp.lanes[lane]->state = State::ready;
  }
}

void* Block::static_shared(const void* site, size_t n_bytes, size_t alignment) {
  auto [entry, is_new] = static_sites_.try_emplace(site, nullptr);
  if (is_new) {
    n_used_ = (n_used_ + alignment - 1) / alignment * alignment;
    entry->second = shared_ + n_used_;
    n_used_ += n_bytes;
    if (n_used_ > shared_capacity) fail("shared memory of this block exceeds %zu bytes", shared_capacity);
  }
  return entry->second;
}

bool Block::owns_shared(uintptr_t address) const {
  const auto base = reinterpret_cast<uintptr_t>(shared_);
  return address >= base && address < base + shared_capacity;
}

bool Block::in_allocated_shared(uintptr_t address, size_t n_bytes) const {
  return address + n_bytes <= reinterpret_cast<uintptr_t>(shared_) + n_used_;
}

void Block::report_deadlock() const {
  char text[512];
  int used = snprintf(text, sizeof text,
                      "block (%u,%u,%u): %u threads wait for ever (divergent barrier or collective):", index.x, index.y,
                      index.z, live_);
  int shown = 0;
  for (const Thread& thread : threads_) {
    if (thread.state == State::done || shown++ == 4) continue;
    used += snprintf(text + used, sizeof text - static_cast<size_t>(used), " thread %u at %.40s", thread.linear,
                     thread.where);
    if (shown == 4) break;
  }
  record_failure(text);
}

Dim3 thread_index() { return current_thread->index; }
Dim3 block_index() { return current_block->index; }
Dim3 block_extent() { return current_block->extent; }
Dim3 grid_extent() { return current_block->grid; }
unsigned lane_index() { return current_thread->lane; }
unsigned live_lanes() { return current_thread->warp->live; }
void* dynamic_shared() { return current_block->dynamic_shared(); }
void* static_shared(const void* site, size_t n_bytes, size_t alignment) {
  return current_block->static_shared(site, n_bytes, alignment);
}
int barrier(int predicate, const char* where) { return current_block->barrier(predicate, where); }
void collective(unsigned mask, WarpOperation operation, void* args, const char* where) {
  current_block->collective(mask, operation, args, where);
}

void fail(const char* format, ...) {
  char text[512];
  const Dim3 b = block_index(), t = thread_index();
  const int used = snprintf(text, sizeof text, "block (%u,%u,%u) thread (%u,%u,%u): ", b.x, b.y, b.z, t.x, t.y, t.z);
  va_list args;
  va_start(args, format);
  vsnprintf(text + used, sizeof text - static_cast<size_t>(used), format, args);
  va_end(args);
  record_failure(text);
  // Never resumed: the scheduler tears the block down. Unwinding through a fiber's first frame is not possible.
  for (;;) simt_switch(&current_thread->stack_pointer, scheduler_stack);
}

}  // namespace simt
