// Re-lays rows of a file into groups of 16 for the kernels; the layouts are said in kernels/store.h.
// A row's bytes are its own, so disjoint rows may be packed side by side.
#pragma once
#include <cstdint>

#include "kernels/store.h"

namespace harness {

/// Writes one row of `blocks` blocks of 32 into lane `lane` of a packed group.
void pack_row(Store store, const std::uint8_t* row, std::int64_t blocks, std::uint8_t* group, int lane);

}  // namespace harness
