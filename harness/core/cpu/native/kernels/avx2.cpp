// Kernels for AVX2 with FMA and F16C; this file alone is compiled with those flags.
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/ahead.h"
#include "kernels/store.h"
#include "kernels/vector_avx2.h"

namespace harness {
namespace avx2 {

constexpr int kPanels = 1;
constexpr int kTileTokens = 6;
constexpr int kQueries = 4;
constexpr int kKeyTiles = 1;
constexpr int kValueVectors = 1;
constexpr int kExponentials = 1;
constexpr int kRoundedQueries = 4;
constexpr int kRoundedKeyTiles = 1;
constexpr int kRoundedValueVectors = 1;

#include "kernels/table.inc"

}  // namespace avx2

const Kernels kAvx2Kernels = avx2::make_table("avx2");

}  // namespace harness
