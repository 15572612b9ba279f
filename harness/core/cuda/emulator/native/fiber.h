// Fibers: stacks that one OS thread switches between.
#pragma once
#include <cstddef>
#include <vector>

namespace simt {

constexpr size_t stack_bytes = 64 * 1024;

// Saves the running context in *from and resumes `to`; both are stack pointers left by an earlier switch.
extern "C" void simt_switch(void** from, void* to);

// Stacks are kept from block to block: mapping them costs more than running a small block.
class StackPool {
 public:
  StackPool() = default;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();
  char* stack(size_t index);

 private:
  std::vector<char*> stacks_;
};

// The stack pointer from which `simt_switch` enters `entry` on `stack`. `index` staggers the tops: 64 KiB apart,
// they would all fall into one cache set.
void* prepare_stack(char* stack, size_t index, void (*entry)());

}  // namespace simt
