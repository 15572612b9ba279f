// Runs a grid: blocks are taken one by one by a few OS threads, in the schedule's order.
#include <atomic>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "block.h"

namespace simt {

namespace {

std::mutex launch_mutex, message_mutex;
std::string message;
std::atomic<bool> failed{false};

struct Grid {
  ThreadMain main;
  void* args;
  Dim3 extent, block;
  unsigned n_shared;
  Schedule schedule;
  unsigned seed;
  uint64_t n_blocks;
  std::atomic<uint64_t> next{0};
};

Dim3 position(const Grid& grid, uint64_t i) {
  if (grid.schedule == Schedule::reverse) i = grid.n_blocks - 1 - i;
  return {static_cast<unsigned>(i % grid.extent.x), static_cast<unsigned>(i / grid.extent.x % grid.extent.y),
          static_cast<unsigned>(i / grid.extent.x / grid.extent.y)};
}

void run_blocks(Grid& grid, unsigned worker) {
  std::mt19937 random(grid.seed * 7919U + worker);
  for (uint64_t i; (i = grid.next++) < grid.n_blocks && !launch_failed();) {
    Block block(position(grid, i), grid.block, grid.extent, grid.n_shared, grid.schedule, random);
    block.run(grid.main, grid.args);
  }
}

// The limits every CUDA device shares; a launch outside them would be refused by the driver.
bool launchable(Dim3 grid, Dim3 block) {
  const bool threads = block.x > 0 && block.y > 0 && block.z > 0 && block.z <= 64 &&
                       static_cast<uint64_t>(block.x) * block.y * block.z <= 1024;
  return threads && grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.y <= 65535 && grid.z <= 65535;
}

}  // namespace

bool launch_failed() { return failed.load(std::memory_order_relaxed); }

void record_failure(const char* text) {
  const std::lock_guard<std::mutex> lock(message_mutex);
  if (!failed.exchange(true)) message = text;
}

#ifdef SIMT_CHECK
constexpr bool checking = true;
#else
constexpr bool checking = false;
void check_access(const void*, unsigned, bool) {}
void check_new_launch() {}
#endif

}  // namespace simt

extern "C" int simt_launch(simt::ThreadMain main, void* args, const unsigned* grid, const unsigned* block,
                           unsigned n_shared, int schedule, unsigned seed) {
  using namespace simt;
  const std::lock_guard<std::mutex> lock(launch_mutex);
  failed = false;
  const Dim3 grid_extent{grid[0], grid[1], grid[2]}, block_extent{block[0], block[1], block[2]};
  if (!launchable(grid_extent, block_extent)) {
    record_failure("no CUDA device takes this grid and block");
    return 1;
  }
  check_new_launch();
  const uint64_t n_blocks = static_cast<uint64_t>(grid_extent.x) * grid_extent.y * grid_extent.z;
  Grid work{main, args, grid_extent, block_extent, n_shared, static_cast<Schedule>(schedule), seed, n_blocks};
  // The checker's shadow memory is not shared between OS threads; blocks then run one after another.
  const unsigned n_workers =
      checking ? 1 : std::min<uint64_t>(std::max(1U, std::thread::hardware_concurrency()), n_blocks);
  std::vector<std::thread> workers;
  for (unsigned i = 1; i < n_workers; i++) workers.emplace_back(run_blocks, std::ref(work), i);
  run_blocks(work, 0);
  for (std::thread& worker : workers) worker.join();
  return launch_failed() ? 1 : 0;
}

extern "C" const char* simt_error() { return simt::message.c_str(); }
