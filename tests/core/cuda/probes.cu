// Small kernels for test_emulator.py: what the emulator promises, one promise each; those below the line are wrong.
#include "gpu.cuh"

// Fragments as registers: a [32][4], b [32][2], d [32][4]; d grows by the product, in one step and in sm_75's.
extern "C" __global__ void multiply_s8(const uint32_t* a, const uint32_t* b, int* d, int* by_parts, int* by_halves) {
    const int lane = threadIdx.x;
    const uint32_t left[4] = {a[4 * lane], a[4 * lane + 1], a[4 * lane + 2], a[4 * lane + 3]};
    const uint32_t right[2] = {b[2 * lane], b[2 * lane + 1]};
    int sum[4] = {d[4 * lane], d[4 * lane + 1], d[4 * lane + 2], d[4 * lane + 3]};
    int parts[4] = {sum[0], sum[1], sum[2], sum[3]}, halves[4] = {sum[0], sum[1], sum[2], sum[3]};
    mma_s8_16832(sum, left, right);
    mma_s8_16832_by_8816(parts, left, right);
    mma_s8_16816(halves, left[0], left[1], right[0]);
    mma_s8_16816(halves, left[2], left[3], right[1]);
    for (int i = 0; i < 4; i++) {
        by_halves[4 * lane + i] = halves[i];
        d[4 * lane + i] = sum[i];
        by_parts[4 * lane + i] = parts[i];
    }
}
LAUNCHABLE(multiply_s8)

extern "C" __global__ void multiply_f16(const uint32_t* a, const uint32_t* b, float* d, float* by_parts) {
    const int lane = threadIdx.x;
    const uint32_t left[4] = {a[4 * lane], a[4 * lane + 1], a[4 * lane + 2], a[4 * lane + 3]};
    const uint32_t right[2] = {b[2 * lane], b[2 * lane + 1]};
    float sum[4] = {d[4 * lane], d[4 * lane + 1], d[4 * lane + 2], d[4 * lane + 3]};
    float parts[4] = {sum[0], sum[1], sum[2], sum[3]};
    mma_f16_16816(sum, left, right);
    mma_f16_16816_by_1688(parts, left, right);
    for (int i = 0; i < 4; i++) {
        d[4 * lane + i] = sum[i];
        by_parts[4 * lane + i] = parts[i];
    }
}
LAUNCHABLE(multiply_f16)

// tile: 32 rows of 16 bytes, four 8x8 matrices of b16 one below the other.
extern "C" __global__ void load_matrices(const uint32_t* tile, uint32_t* four, uint32_t* two, uint32_t* transposed) {
    SHARED(uint32_t, rows, 128);
    const int lane = threadIdx.x;
    for (int i = 0; i < 4; i++) rows[4 * lane + i] = tile[4 * lane + i];
    __syncthreads();
    uint32_t x4[4], x2[2], turned[2];
    load_matrix_x4(x4, rows + 4 * lane);
    load_matrix_x2(x2, rows + 4 * (lane % 16));
    load_matrix_x2_transposed(turned, rows + 4 * (lane % 16));
    for (int i = 0; i < 4; i++) four[4 * lane + i] = x4[i];
    for (int i = 0; i < 2; i++) {
        two[2 * lane + i] = x2[i];
        transposed[2 * lane + i] = turned[i];
    }
}
LAUNCHABLE(load_matrices)

// out [6][n]: what each thread gets from the shuffles, the vote and the counting barrier.
extern "C" __global__ void exchange(const int* values, int* out, int n) {
    const int i = threadIdx.x, value = values[i];
    out[i] = __shfl_xor_sync(FULL_MASK, value, 5);
    out[n + i] = __shfl_up_sync(FULL_MASK, value, 3);
    out[2 * n + i] = __shfl_down_sync(FULL_MASK, value, 7);
    out[3 * n + i] = __shfl_sync(FULL_MASK, value, i % 3);
    out[4 * n + i] = static_cast<int>(__ballot_sync(FULL_MASK, value > 50));
    out[5 * n + i] = __syncthreads_count(value > 50);
}
LAUNCHABLE(exchange)

// Each thread hands its value to the next warp's thread through shared memory.
extern "C" __global__ void hand_over(const int* values, int* out) {
    SHARED(int, box, 128);
    box[threadIdx.x] = values[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = box[(threadIdx.x + 32) % 128];
}
LAUNCHABLE(hand_over)

extern "C" __global__ void copy_in(const int4* values, int4* out) {
    SHARED(int4, box, 64);
    copy_async_16(box + threadIdx.x, values + threadIdx.x);
    copy_async_commit();
    copy_async_wait<0>();
    __syncthreads();
    out[threadIdx.x] = box[(threadIdx.x + 32) % 64];
}
LAUNCHABLE(copy_in)

extern "C" __global__ void scale(float* values, float factor, const int* shift) {
    values[threadIdx.x] = __fadd_rn(__fmul_rn(values[threadIdx.x], factor), __int2float_rn(*shift));
}
LAUNCHABLE(scale)

// ------------------------------------------------------------------------------------------------------------------

extern "C" __global__ void race_within_a_block(const int* values, int* out) {
    SHARED(int, box, 128);
    box[threadIdx.x] = values[threadIdx.x];
    out[threadIdx.x] = box[(threadIdx.x + 32) % 128];
}
LAUNCHABLE(race_within_a_block)

extern "C" __global__ void race_within_a_warp(const int* values, int* out) {
    SHARED(int, box, 32);
    box[threadIdx.x] = values[threadIdx.x];
    out[threadIdx.x] = box[threadIdx.x ^ 1];
}
LAUNCHABLE(race_within_a_warp)

extern "C" __global__ void race_of_blocks(int* out) { out[threadIdx.x] = blockIdx.x; }
LAUNCHABLE(race_of_blocks)

extern "C" __global__ void overwrite_what_others_read(const int* values, int* out) {
    SHARED(int, box, 128);
    box[threadIdx.x] = values[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = box[(threadIdx.x + 32) % 128];
    box[threadIdx.x] = 0;
}
LAUNCHABLE(overwrite_what_others_read)

extern "C" __global__ void read_behind_the_end(const int* values, int* out, int n) { out[0] = values[n]; }
LAUNCHABLE(read_behind_the_end)

extern "C" __global__ void write_behind_the_end(int* out, int n) { out[n] = 1; }
LAUNCHABLE(write_behind_the_end)

extern "C" __global__ void write_behind_shared(int* out, int n) {
    SHARED(int, box, 32);
    box[n + threadIdx.x] = 1;
    out[0] = 1;
}
LAUNCHABLE(write_behind_shared)

extern "C" __global__ void read_misaligned(const uint8_t* bytes, int* out) {
    out[0] = *reinterpret_cast<const volatile int*>(bytes + 2);
}
LAUNCHABLE(read_misaligned)

extern "C" __global__ void matrix_misaligned(const uint32_t* values, uint32_t* out) {
    SHARED(uint32_t, rows, 128);
    for (int i = 0; i < 4; i++) rows[4 * threadIdx.x + i] = values[threadIdx.x];
    __syncthreads();
    uint32_t x4[4];
    load_matrix_x4(x4, rows + 2 * threadIdx.x);
    out[threadIdx.x] = x4[0];
}
LAUNCHABLE(matrix_misaligned)

extern "C" __global__ void barrier_against_shuffle(int* out) {
    int value = threadIdx.x;
    if (threadIdx.x % 2 == 0) {
        __syncthreads();
    } else {
        value = __shfl_xor_sync(FULL_MASK, value, 1);
    }
    out[threadIdx.x] = value;
}
LAUNCHABLE(barrier_against_shuffle)

extern "C" __global__ void two_barriers(int* out) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        out[threadIdx.x] = 1;
        __syncthreads();
    }
}
LAUNCHABLE(two_barriers)

extern "C" __global__ void shuffle_without_half(int* out) {
    int value = threadIdx.x;
    if (threadIdx.x < 16) value = __shfl_xor_sync(FULL_MASK, value, 1);
    out[threadIdx.x] = value;
}
LAUNCHABLE(shuffle_without_half)

extern "C" __global__ void different_shuffles(int* out) {
    int value = threadIdx.x;
    if (threadIdx.x < 16) {
        value = __shfl_xor_sync(FULL_MASK, value, 1);
    } else {
        value = static_cast<int>(__ballot_sync(FULL_MASK, value));
    }
    out[threadIdx.x] = value;
}
LAUNCHABLE(different_shuffles)

extern "C" __global__ void mask_without_the_caller(int* out) {
    out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, static_cast<int>(threadIdx.x), 1);
}
LAUNCHABLE(mask_without_the_caller)

extern "C" __global__ void read_before_the_wait(const int4* values, int4* out) {
    SHARED(int4, box, 32);
    copy_async_16(box + threadIdx.x, values + threadIdx.x);
    copy_async_commit();
    out[threadIdx.x] = box[threadIdx.x];
    copy_async_wait<0>();
}
LAUNCHABLE(read_before_the_wait)

extern "C" __global__ void wait_for_the_wrong_group(const int4* values, int4* out) {
    SHARED(int4, box, 64);
    copy_async_16(box + threadIdx.x, values + threadIdx.x);
    copy_async_commit();
    copy_async_16(box + 32 + threadIdx.x, values + threadIdx.x);
    copy_async_commit();
    copy_async_wait<1>();
    out[threadIdx.x] = box[32 + threadIdx.x];
    copy_async_wait<0>();
}
LAUNCHABLE(wait_for_the_wrong_group)

extern "C" __global__ void copy_without_a_barrier(const int4* values, int4* out) {
    SHARED(int4, box, 64);
    copy_async_16(box + threadIdx.x, values + threadIdx.x);
    copy_async_commit();
    copy_async_wait<0>();
    out[threadIdx.x] = box[(threadIdx.x + 32) % 64];
}
LAUNCHABLE(copy_without_a_barrier)

extern "C" __global__ void copy_never_waited_for(const int4* values) {
    SHARED(int4, box, 32);
    copy_async_16(box + threadIdx.x, values + threadIdx.x);
    copy_async_commit();
}
LAUNCHABLE(copy_never_waited_for)

extern "C" __global__ void copy_misaligned(const int* values) {
    SHARED(int4, box, 32);
    copy_async_16(box + threadIdx.x, values + 1);
    copy_async_wait<0>();
}
LAUNCHABLE(copy_misaligned)

extern "C" __global__ void shared_never_written(float* out) {
    SHARED(float, box, 32);
    out[threadIdx.x] = box[threadIdx.x];
}
LAUNCHABLE(shared_never_written)

extern "C" __global__ void register_never_written(float* out, int n) {
    float values[4];
    for (int i = 0; i < n; i++) values[i] = 1.0f;
    out[0] = values[n];
}
LAUNCHABLE(register_never_written)
