// experts_mma.cuh for tiles of 16 slots.
#define TILE_TOKENS 16
#define EXPERT_PRODUCT expert_product_mma_16
#define EXPERT_GATE_UP expert_gate_up_mma_16
#include "experts_mma.cuh"
LAUNCHABLE(expert_product_mma_16)
LAUNCHABLE(expert_gate_up_mma_16)
