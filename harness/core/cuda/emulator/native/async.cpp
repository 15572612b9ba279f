// cp.async: a copy may land at once or only when it is waited for; a kernel must be right either way.
#include <cstring>

#include "block.h"

namespace simt {

namespace {

void perform(const PendingCopy& copy) {
  check_access(copy.global, copy.n_source_bytes, false);
  check_access(copy.shared, copy.n_bytes, true);
  memcpy(copy.shared, copy.global, copy.n_source_bytes);
  memset(static_cast<char*>(copy.shared) + copy.n_source_bytes, 0, copy.n_bytes - copy.n_source_bytes);
}

bool lands_at_once() {
  const Block& block = *current_block;
  if (block.schedule == Schedule::random) return (block.random() & 1U) != 0;
  return block.schedule == Schedule::reverse;
}

}  // namespace

void async_copy(void* shared, const void* global, unsigned n_bytes, unsigned n_source_bytes) {
  const auto addresses = reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global);
  if (addresses % n_bytes != 0) fail("cp.async: an address is not %u-byte aligned", n_bytes);
  const PendingCopy copy{shared, global, n_bytes, n_source_bytes};
  if (lands_at_once()) {
    perform(copy);
  } else {
    current_thread->async.copies.push_back(copy);
  }
}

void async_commit() {
  CopyQueue& queue = current_thread->async;
  queue.group_ends.push_back(queue.copies.size());
}

void async_wait(unsigned n_pending) {
  CopyQueue& queue = current_thread->async;
  if (queue.group_ends.size() <= n_pending) return;
  const size_t n_groups = queue.group_ends.size() - n_pending, n_copies = queue.group_ends[n_groups - 1];
  for (size_t i = 0; i < n_copies; i++) perform(queue.copies[i]);
  queue.copies.erase(queue.copies.begin(), queue.copies.begin() + static_cast<std::ptrdiff_t>(n_copies));
  queue.group_ends.erase(queue.group_ends.begin(), queue.group_ends.begin() + static_cast<std::ptrdiff_t>(n_groups));
  for (size_t& end : queue.group_ends) end -= n_copies;
}

}  // namespace simt
