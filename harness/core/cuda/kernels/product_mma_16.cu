// product_mma.cuh for tiles of 16 tokens.
#define TILE_TOKENS 16
#define PRODUCT product_mma_16
#include "product_mma.cuh"
LAUNCHABLE(product_mma_16)
