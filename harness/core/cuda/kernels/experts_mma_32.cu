// experts_mma.cuh for tiles of 32 slots.
#define TILE_TOKENS 32
#define EXPERT_PRODUCT expert_product_mma_32
#define EXPERT_GATE_UP expert_gate_up_mma_32
#include "experts_mma.cuh"
LAUNCHABLE(expert_product_mma_32)
LAUNCHABLE(expert_gate_up_mma_32)
