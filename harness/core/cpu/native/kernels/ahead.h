// How far ahead of what it reads a product asks memory.
//
// What pays best was measured, with one thread and with two (benchmarks/README.md), and is a matter of the processor
// as much as of the format. Where a processor's own prefetching follows the stream, asking for the very next lines
// keeps their order, which is all it needs, and asking far ahead takes the few places it has for lines on their way.
// Elsewhere lines are asked so far ahead that memory has answered when they are read.
#pragma once
#include <cstdint>

namespace harness {

/// Bytes, by what a row of 32 weights takes.
struct Distances {
  std::int64_t bytes;    // 32 and more
  std::int64_t nibbles;  // 16 to 24
  std::int64_t tables;   // the same, where the scale chooses a table
  std::int64_t fewer;    // less
};

/// Of the processor this runs on.
extern const Distances kDistances;

}  // namespace harness
