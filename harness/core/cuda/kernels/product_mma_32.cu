// product_mma.cuh for tiles of 32 tokens.
#define TILE_TOKENS 32
#define PRODUCT product_mma_32
#include "product_mma.cuh"
LAUNCHABLE(product_mma_32)
