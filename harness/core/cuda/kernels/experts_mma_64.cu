// experts_mma.cuh for tiles of 64 slots.
#define TILE_TOKENS 64
#define EXPERT_PRODUCT expert_product_mma_64
#define EXPERT_GATE_UP expert_gate_up_mma_64
#include "experts_mma.cuh"
LAUNCHABLE(expert_product_mma_64)
LAUNCHABLE(expert_gate_up_mma_64)
