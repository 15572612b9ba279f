#include "formats/grids.h"

namespace harness {
#include "grids.inc"
}  // namespace harness
