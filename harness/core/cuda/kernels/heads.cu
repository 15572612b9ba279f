// What becomes of projections: every head of q and k is normed where the layer has a norm and rotated to its position; keys
// and values are stored in the cache, f16 or q8_0 (kv_cache.cuh). q float [T, n_head, head_dim] in place; k and v float
// [T, n_head_kv, head_dim or head_dim_v]. A warp has a head, its numbers in shared memory: at most 512.
//
// Positions come from device memory, so that a captured graph serves every token. Tables: cos, sin float [n_ctx, half];
// pairs (i, i + half) where `apart`, (2i, 2i + 1) otherwise. half 0: no rotation.
// Launch: grid (ceil((n_head + 2 n_head_kv) / 4), T), 128 threads. Reference: qkv; exact.
#include "norm.cuh"

constexpr int block_heads = 4, widest_head = 512;

struct Rotation {
    const float *cosines, *sines;
    int half, apart;
};

__device__ __forceinline__ void norm_head(float* numbers, const float* weight, int n, float eps) {
    const int lane = threadIdx.x % 32;
    float squares = 0.0f;  // the same eight chains in each eight lanes
    for (int i = lane % 8; i < n; i += 8) squares = __fmaf_rn(numbers[i], numbers[i], squares);
    const float factor = factor_of(sum_of_eight_lanes(squares), n, eps);
    __syncwarp();
    for (int i = lane; i < n; i += 32) numbers[i] = normed(numbers[i], factor, weight[i]);
    __syncwarp();
}

__device__ __forceinline__ void rotate_head(float* numbers, Rotation by, int position) {
    const size_t angle = static_cast<size_t>(position) * by.half;
    for (int pair = threadIdx.x % 32; pair < by.half; pair += 32) {
        const int first = by.apart ? pair : 2 * pair, second = first + (by.apart ? by.half : 1);
        const float cosine = by.cosines[angle + pair], sine = by.sines[angle + pair];
        const float a = numbers[first], b = numbers[second];
        numbers[first] = __fadd_rn(__fmul_rn(a, cosine), -__fmul_rn(b, sine));
        numbers[second] = __fadd_rn(__fmul_rn(a, sine), __fmul_rn(b, cosine));
    }
    __syncwarp();
}

// To numbers `at` .. of one side of the cache; a head of q8_0 is whole blocks of 32.
__device__ __forceinline__ void store_head(const float* numbers, int n, void* rows, half_bits* scales, size_t at) {
    for (int i = threadIdx.x % 32; i < n; i += 32) {
        if (scales == nullptr) {
            static_cast<half_bits*>(rows)[at + i] = float_to_half(numbers[i]);
            continue;
        }
        const Quantized number = quantized(numbers[i]);
        static_cast<int8_t*>(rows)[at + i] = number.code;
        if (i % 32 == 0) scales[(at + i) / 32] = float_to_half(number.scale);
    }
}

extern "C" __global__ void place_heads(float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v,
                                       int n_head, int n_head_kv, int head_dim, int head_dim_v,
                                       const float* __restrict__ q_norm, const float* __restrict__ k_norm, float eps,
                                       const float* __restrict__ cosines, const float* __restrict__ sines, int half,
                                       int apart, const int* __restrict__ position, void* __restrict__ keys,
                                       half_bits* __restrict__ key_scales, void* __restrict__ values,
                                       half_bits* __restrict__ value_scales) {
    SHARED(float, room, block_heads * widest_head);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, index = blockIdx.x * block_heads + warp;
    if (index >= n_head + 2 * n_head_kv) return;
    float* numbers = room + warp * widest_head;
    const bool is_query = index < n_head, is_value = index >= n_head + n_head_kv;
    const int head = is_query ? index : (index - n_head) % n_head_kv, n_heads = is_query ? n_head : n_head_kv;
    const int width = is_value ? head_dim_v : head_dim, at_position = *position + blockIdx.y;
    const float* from = is_query ? q : is_value ? v : k;
    const size_t first = (static_cast<size_t>(blockIdx.y) * n_heads + head) * width;
    for (int i = lane; i < width; i += 32) numbers[i] = from[first + i];
    __syncwarp();
    if (!is_value) {
        const float* weight = is_query ? q_norm : k_norm;
        if (weight != nullptr) norm_head(numbers, weight, width, eps);
        rotate_head(numbers, {cosines, sines, half, apart}, at_position);
    }
    if (is_query) {
        for (int i = lane; i < width; i += 32) q[first + i] = numbers[i];
        return;
    }
    const size_t to = (static_cast<size_t>(at_position) * n_heads + head) * width;
    store_head(numbers, width, is_value ? values : keys, is_value ? value_scales : key_scales, to);
}
LAUNCHABLE(place_heads)
