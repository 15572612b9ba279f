// The tiles of all experts, experts ascending, from bounds [n_expert + 1]: each at most `tile_slots` slots of one expert.
// tiles [n_tiles] are more than enough; those that are not needed get no slots. Launch: one warp. Reference: exact.
#include "tiles.cuh"

extern "C" __global__ void list_tiles(const int* __restrict__ bounds, int n_expert, int tile_slots, int n_tiles,
                                      Tile* __restrict__ tiles) {
    const int lane = threadIdx.x;
    int total = 0;
    for (int base = 0; base < n_expert; base += 32) {
        const int expert = min(base + lane, n_expert - 1), begin = bounds[expert];
        const int n_slots = base + lane < n_expert ? bounds[expert + 1] - begin : 0;
        const int own = (n_slots + tile_slots - 1) / tile_slots;
        int until = own;  // tiles of this round's experts up to and with this lane's
        for (int distance = 1; distance < 32; distance *= 2) {
            const int before = __shfl_up_sync(FULL_MASK, until, distance);
            if (lane >= distance) until += before;
        }
        for (int i = 0; i < own; i++) {
            tiles[total + until - own + i] = {expert, begin + i * tile_slots, min(tile_slots, n_slots - i * tile_slots), 0};
        }
        total += __shfl_sync(FULL_MASK, until, 31);
    }
    for (int at = total + lane; at < n_tiles; at += 32) tiles[at] = {0, 0, 0, 0};
}
LAUNCHABLE(list_tiles)
