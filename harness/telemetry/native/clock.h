// The clock of the core that this runs on, where the system hides it: a chain of additions takes one cycle each.
#pragma once

namespace limits {

// Cycles per second while `additions` dependent additions ran; x86-64 only. An interruption makes it too low.
double core_clock_hz(long additions);

}  // namespace limits
