// A format's codebook in shared memory, where threads that look up different entries do not wait for each other as they
// would for constant memory. The entries are generated into grid_<name>.cuh from the table all backends share.
#pragma once
#include "gpu.cuh"

#ifdef CODEBOOK
__device__ __forceinline__ CodebookEntry* codebook() {
    SHARED(CodebookEntry, entries, codebook_size);
    return entries;
}
#endif

// Before the first decode. All threads of the block must take part.
__device__ __forceinline__ void open_codebook() {
#ifdef CODEBOOK
    for (int i = threadIdx.x; i < codebook_size; i += blockDim.x) codebook()[i] = codebook_in_memory[i];
    __syncthreads();
#endif
}
