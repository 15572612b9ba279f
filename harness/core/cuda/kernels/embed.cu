// x [T, n_embd] = rows of the token table. Launch: grid (ceil(n_embd / 32 / 128), T), 128 threads, a block of 32 each.
// Reference: embed; exact.
#include FORMAT_FILE
#include "codebook.cuh"

extern "C" __global__ void embed(const uint8_t* __restrict__ table, size_t row_bytes, int n_columns,
                                 const int* __restrict__ tokens, float* __restrict__ x) {
    open_codebook();
    const int index = blockIdx.x * 128 + threadIdx.x;
    if (index * 32 >= n_columns) return;
    const Row row = row_of(table, row_bytes, tokens[blockIdx.y], n_columns);
    float* out = x + static_cast<size_t>(blockIdx.y) * n_columns + index * 32;
#ifdef PLAIN
    for (int i = 0; i < 32 && index * 32 + i < n_columns; i++) out[i] = load_plain(row, index * 32 + i);
#else
    Block block;
    decode(row, index, block);
    for (int i = 0; i < 32; i++) {
        const int code = static_cast<int8_t>(block.codes[i / 4] >> i % 4 * 8), part = i / 16;
        const float value = __fmul_rn(__int2float_rn(code), block.scale[part]);
        out[i] = has_minimum ? __fadd_rn(value, -block.minimum[part]) : value;
    }
#endif
}
LAUNCHABLE(embed)
