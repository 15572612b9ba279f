// Runs the same work on several pinned threads and times it from the first start to the last end.
// Threads wait for each other by spinning, so that all of them are awake when the clock starts.
#pragma once

#include <functional>

namespace limits {

// Seconds from the moment all of `n_threads` threads are ready until the last has returned from `work(index)`.
// Thread i is bound to the i-th core this process may use; more threads than cores share them round robin.
double timed(int n_threads, const std::function<void(int)>& work);

// Cores this process may use.
int usable_cores();

}  // namespace limits
