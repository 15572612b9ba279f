// Kernels for any processor; slow, and the definition of what the others compute.
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/ahead.h"
#include "kernels/store.h"
#include "kernels/vector_scalar.h"

#undef UNROLL
#define UNROLL(n)  // arrays need no registers of their own

namespace harness {
namespace scalar {

constexpr int kPanels = 1;
constexpr int kTileTokens = 4;
constexpr int kQueries = 4;
constexpr int kKeyTiles = 1;
constexpr int kValueVectors = 1;
constexpr int kExponentials = 1;
constexpr int kRoundedQueries = 4;
constexpr int kRoundedKeyTiles = 1;
constexpr int kRoundedValueVectors = 1;

#include "kernels/table.inc"

}  // namespace scalar

const Kernels kScalarKernels = scalar::make_table("scalar");

}  // namespace harness
