// Kernels for AVX-512 with VNNI; this file alone is compiled with those flags.
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/ahead.h"
#include "kernels/store.h"
#include "kernels/vector_avx512.h"

namespace harness {
namespace avx512 {

constexpr int kPanels = 2;
constexpr int kTileTokens = 8;
constexpr int kQueries = 8;
constexpr int kKeyTiles = 2;
constexpr int kValueVectors = 2;
constexpr int kExponentials = 4;
constexpr int kRoundedQueries = 8;
constexpr int kRoundedKeyTiles = 2;
constexpr int kRoundedValueVectors = 2;

#include "kernels/table.inc"

}  // namespace avx512

const Kernels kAvx512Kernels = avx512::make_table("avx512");

}  // namespace harness
