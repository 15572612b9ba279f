// Warp-wide operations: shuffles, votes, matrix fragments. Layouts: PTX ISA, "Matrix fragments for mma" and "ldmatrix".
#include <cstring>

#include "block.h"

namespace simt {

namespace {

template <typename Body>
void each_lane(unsigned mask, Body body) {
  for (int lane = 0; lane < warp_lanes; lane++) {
    if ((mask >> lane & 1U) != 0) body(lane);
  }
}

struct ShuffleArgs {
  uint32_t value, result;
  int operand, width;
  Shuffle mode;
};

int shuffle_source(int lane, const ShuffleArgs& args) {
  const int first = lane & ~(args.width - 1), last = first + args.width - 1;
  switch (args.mode) {
    case Shuffle::up:
      return lane - args.operand >= first ? lane - args.operand : lane;
    case Shuffle::down:
      return lane + args.operand <= last ? lane + args.operand : lane;
    case Shuffle::butterfly:
      return (lane ^ args.operand) <= last ? lane ^ args.operand : lane;
    case Shuffle::index:
      break;
  }
  return first | (args.operand & (args.width - 1));
}

void evaluate_shuffle(void** lanes, unsigned mask) {
  constexpr uint32_t undefined = 0xdeadbeefU;  // the hardware promises nothing for a lane outside the mask
  each_lane(mask, [&](int lane) {
    auto& args = *static_cast<ShuffleArgs*>(lanes[lane]);
    const int source = shuffle_source(lane, args);
    const bool present = (mask >> source & 1U) != 0;
    args.result = present ? static_cast<ShuffleArgs*>(lanes[source])->value : undefined;
  });
}

struct VoteArgs {
  int value;
  uint32_t result;
};

void evaluate_ballot(void** lanes, unsigned mask) {
  uint32_t votes = 0;
  each_lane(mask, [&](int lane) { votes |= (static_cast<VoteArgs*>(lanes[lane])->value != 0 ? 1U : 0U) << lane; });
  each_lane(mask, [&](int lane) { static_cast<VoteArgs*>(lanes[lane])->result = votes; });
}

void evaluate_sum(void** lanes, unsigned mask) {
  uint32_t sum = 0;
  each_lane(mask, [&](int lane) { sum += static_cast<uint32_t>(static_cast<VoteArgs*>(lanes[lane])->value); });
  each_lane(mask, [&](int lane) { static_cast<VoteArgs*>(lanes[lane])->result = sum; });
}

// Row and column of element i of a lane's fragments. `per` elements share a 32-bit register.
struct Fragment {
  int group, member;  // lane / 4, lane % 4
  explicit Fragment(int lane) : group(lane / 4), member(lane % 4) {}
  int a_row(int i, int per) const { return group + (i / per % 2) * 8; }
  int a_column(int i, int per) const { return member * per + i % per + i / (2 * per) * 4 * per; }
  int b_row(int i, int per) const { return member * per + i % per + i / per * 4 * per; }
  int c_row(int i) const { return group + i / 2 * 8; }
  int c_column(int i) const { return member * 2 + i % 2; }
};

template <typename Accumulator>
struct MmaArgs {
  Accumulator* d;
  const uint32_t *a, *b;
  int m, k;
};

float half_to_float(uint16_t bits) {
  _Float16 value;
  memcpy(&value, &bits, sizeof value);
  return static_cast<float>(value);
}

// D[m][8] += A[m][k] B[8][k]^T, m 16 or 8. Element: how memory holds a factor; Wide: what products are summed in.
template <typename Element, typename Wide, typename Accumulator, typename Convert>
void evaluate_mma(void** lanes, Convert convert) {
  constexpr int rows = 16, columns = 8, max_k = 32, per = 4 / sizeof(Element);
  const int m = static_cast<MmaArgs<Accumulator>*>(lanes[0])->m, k = static_cast<MmaArgs<Accumulator>*>(lanes[0])->k;
  Wide a[rows][max_k], b[columns][max_k], sum[rows][columns] = {};
  for (int lane = 0; lane < warp_lanes; lane++) {
    const auto& args = *static_cast<MmaArgs<Accumulator>*>(lanes[lane]);
    const Fragment at(lane);
    const auto* a_bits = reinterpret_cast<const Element*>(args.a);
    const auto* b_bits = reinterpret_cast<const Element*>(args.b);
    for (int i = 0; i < m * k / warp_lanes; i++) a[at.a_row(i, per)][at.a_column(i, per)] = convert(a_bits[i]);
    for (int i = 0; i < columns * k / warp_lanes; i++) b[at.group][at.b_row(i, per)] = convert(b_bits[i]);
  }
  for (int r = 0; r < m; r++) {
    for (int c = 0; c < columns; c++) {
      for (int x = 0; x < k; x++) sum[r][c] += a[r][x] * b[c][x];
    }
  }
  for (int lane = 0; lane < warp_lanes; lane++) {
    const auto& args = *static_cast<MmaArgs<Accumulator>*>(lanes[lane]);
    const Fragment at(lane);
    for (int i = 0; i < m * columns / warp_lanes; i++)
      args.d[i] = static_cast<Accumulator>(args.d[i] + sum[at.c_row(i)][at.c_column(i)]);
  }
}

void evaluate_mma_s8(void** lanes, unsigned) {
  evaluate_mma<int8_t, int64_t, int32_t>(lanes, [](int8_t value) { return static_cast<int64_t>(value); });
}

void evaluate_mma_f16(void** lanes, unsigned) {
  evaluate_mma<uint16_t, double, float>(lanes, [](uint16_t bits) { return static_cast<double>(half_to_float(bits)); });
}

struct LoadMatrixArgs {
  const void* row;
  uint32_t result[4];
  int count;
  bool transpose;
};

void evaluate_load_matrix(void** lanes, unsigned) {
  const auto& first = *static_cast<LoadMatrixArgs*>(lanes[0]);
  for (int matrix = 0; matrix < first.count; matrix++) {
    for (int lane = 0; lane < warp_lanes; lane++) {
      uint16_t pair[2];
      for (int j = 0; j < 2; j++) {
        const int along = lane / 4, across = lane % 4 * 2 + j;
        const int row = first.transpose ? across : along, column = first.transpose ? along : across;
        const void* base = static_cast<LoadMatrixArgs*>(lanes[matrix * 8 + row])->row;
        memcpy(&pair[j], static_cast<const char*>(base) + 2 * column, 2);
      }
      memcpy(&static_cast<LoadMatrixArgs*>(lanes[lane])->result[matrix], pair, 4);
    }
  }
}

}  // namespace

uint32_t shuffle(Shuffle mode, unsigned mask, uint32_t value, int operand, int width, const char* where) {
  ShuffleArgs args{value, 0, operand, width, mode};
  collective(mask, evaluate_shuffle, &args, where);
  return args.result;
}

uint32_t ballot(unsigned mask, int predicate, const char* where) {
  VoteArgs args{predicate, 0};
  collective(mask, evaluate_ballot, &args, where);
  return args.result;
}

int reduce_add(unsigned mask, int value, const char* where) {
  VoteArgs args{value, 0};
  collective(mask, evaluate_sum, &args, where);
  return static_cast<int>(args.result);
}

void mma_s8(int m, int k, int32_t* d, const uint32_t* a, const uint32_t* b, const char* where) {
  MmaArgs<int32_t> args{d, a, b, m, k};
  collective(full_mask, evaluate_mma_s8, &args, where);
}

void mma_f16(int k, float* d, const uint32_t* a, const uint32_t* b, const char* where) {
  MmaArgs<float> args{d, a, b, 16, k};
  collective(full_mask, evaluate_mma_f16, &args, where);
}

void load_matrix(int count, bool transpose, uint32_t* d, const void* row, const char* where) {
  if (static_cast<int>(lane_index()) < count * 8) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) fail("%s: the row's address is not 16-byte aligned", where);
    check_access(row, 16, false);
  }
  LoadMatrixArgs args{row, {}, count, transpose};
  collective(full_mask, evaluate_load_matrix, &args, where);
  memcpy(d, args.result, static_cast<size_t>(count) * 4);
}

}  // namespace simt
