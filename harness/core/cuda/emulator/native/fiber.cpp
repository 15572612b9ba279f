#include "fiber.h"

#include <sys/mman.h>

#include <new>

#if !defined(__x86_64__)
#error "the CUDA emulator switches stacks with x86-64 code; build it on an x86-64 machine"
#endif

// System V: rbx, rbp, r12-r15 belong to the caller, all else is dead across a call.
asm(R"(
.text
.globl simt_switch
.type simt_switch,@function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size simt_switch, .-simt_switch
)");

namespace simt {

namespace {
constexpr int saved_registers = 6;
constexpr size_t stagger_step = 832, stagger_range = 16 * 1024;
}  // namespace

StackPool::~StackPool() {
  for (char* stack : stacks_) munmap(stack, stack_bytes);
}

char* StackPool::stack(size_t index) {
  while (stacks_.size() <= index) {
    void* memory =
        mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stacks_.push_back(static_cast<char*>(memory));
  }
  return stacks_[index];
}

void* prepare_stack(char* stack, size_t index, void (*entry)()) {
  char* top = stack + stack_bytes - 64 - (index * stagger_step % stagger_range) / 64 * 64;
  void** slot = reinterpret_cast<void**>(top);
  *--slot = nullptr;  // where `entry` would return to; it never does
  *--slot = reinterpret_cast<void*>(entry);
  for (int i = 0; i < saved_registers; i++) *--slot = nullptr;
  return slot;
}

}  // namespace simt
