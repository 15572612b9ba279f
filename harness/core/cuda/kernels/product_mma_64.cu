// product_mma.cuh for tiles of 64 tokens.
#define TILE_TOKENS 64
#define PRODUCT product_mma_64
#include "product_mma.cuh"
LAUNCHABLE(product_mma_64)
