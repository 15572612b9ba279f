#include "ops/workspace.h"

#include <cstring>

namespace harness {
namespace {

constexpr std::int64_t kAlign = 64;

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

Tile Tiles::at(std::int64_t first_token, int tokens, std::int64_t first_block) const {
  std::uint8_t* base = memory + first_token * blocks * 52;
  const std::int64_t n = tokens * blocks;
  const std::int64_t from = tokens * first_block;
  return {tokens, reinterpret_cast<std::uint32_t*>(base) + from * 8, reinterpret_cast<float*>(base + n * 32) + from,
          reinterpret_cast<std::uint32_t*>(base + n * 36), reinterpret_cast<float*>(base + n * 44)};
}

Workspace::Workspace(const Kernels& kernels, std::int64_t ubatch, int n_threads)
    : kernels_(kernels), ubatch_(ubatch), n_threads_(n_threads) {}

void Workspace::reserve(Region region, std::int64_t bytes) {
  region_bytes_[region] = std::max(region_bytes_[region], bytes);
}

void Workspace::reserve_local(std::int64_t bytes) { local_bytes_ = std::max(local_bytes_, aligned(bytes)); }

void Workspace::allocate() {
  for (int i = 0; i < kRegions; ++i) regions_[i] = Buffer(static_cast<std::size_t>(region_bytes_[i]));
  locals_ = Buffer(static_cast<std::size_t>((local_bytes_ + kFixedLocal) * n_threads_));
}

void Workspace::multiply(const Worker& worker, const Matrix& matrix, std::int64_t expert,
                         std::span<const std::int64_t> groups, const Activations& activations, const TokenRange& tokens,
                         float* out, const std::uint8_t* after) const {
  if (matrix.store() != Store::none && tokens.split.count == 1 && tokens.split.tokens <= kStreamTokens) {
    return multiply_streams(matrix, expert, groups, activations.tiles, tokens, out, after);
  }
  if (matrix.format().quantised()) {
    return multiply_panels(worker, matrix, expert, groups, activations.tiles, tokens, out);
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    multiply_floats(worker, matrix, expert, matrix.group(groups[i]), activations.floats, tokens,
                    out + static_cast<std::int64_t>(i) * tokens.split.tokens * kRows);
  }
}

void Workspace::decode_row(const Worker& worker, const Matrix& matrix, std::int64_t row, float* out) const {
  if (matrix.store() == Store::none) return matrix.decode_row(0, row, out);
  const FormatInfo& format = matrix.format();
  const Matrix::Lane from = matrix.lane_of(row);
  const auto at = bytes_in(matrix.packing().order);
  const int groups = kBlock / format.group;
  const std::int64_t all_blocks = matrix.columns() / kBlock;
  std::uint8_t* memory = local(worker) + local_bytes_ + kSumBytes;
  for (std::int64_t first = 0; first < all_blocks; first += kPanelBlocks) {
    const std::int64_t blocks = std::min(kPanelBlocks, all_blocks - first);
    const Panel panel = expand(memory, nullptr, matrix, 0, from.group, first, blocks);
    for (std::int64_t block = 0; block < blocks; ++block, out += kBlock) {
      for (int i = 0; i < kBlock; ++i) {
        const std::int64_t group = block * groups + at[static_cast<std::size_t>(i)] / format.group;
        const int code = panel.codes[(block * 8 + i / 4) * 64 + from.lane * 4 + i % 4] - matrix.packing().bias;
        const float product = panel.scales[group * kRows + from.lane] * static_cast<float>(code);
        out[at[static_cast<std::size_t>(i)]] =
            format.has_minimum ? product - panel.minimums[group * kRows + from.lane] : product;
      }
    }
  }
}

void Workspace::multiply_floats(const Worker& worker, const Matrix& matrix, std::int64_t expert, const RowGroup& group,
                                const FloatRows& rows, const TokenRange& tokens, float* out) const {
  auto** x = reinterpret_cast<const float**>(local(worker) + local_bytes_ + kSumBytes);
  for (std::int64_t t = 0; t < tokens.split.tokens; ++t) x[t] = rows.of(tokens.first + t);
  kernels_.float_product(matrix.format().floats, matrix.row(expert, group.first), matrix.row_bytes(), group.count, x,
                         tokens.split.tokens, matrix.columns(), out);
}

void Workspace::multiply_panels(const Worker& worker, const Matrix& matrix, std::int64_t expert,
                                std::span<const std::int64_t> groups, const Tiles& tiles, const TokenRange& tokens,
                                float* out) const {
  const TileSplit& split = tokens.split;
  const auto kind = matrix.packing().kind;
  const Shape shape = shape_of(kind);
  const std::int64_t all_blocks = matrix.columns() / kBlock;
  const std::int64_t group_stride = split.tokens * kRows;
  std::uint8_t* memory = local(worker) + local_bytes_ + kSumBytes;
  std::uint8_t* row_memory = memory + kMaxPanels * kPanelBytes;
  std::memset(out, 0, groups.size() * static_cast<std::size_t>(group_stride) * sizeof(float));
  for (std::size_t g = 0; g < groups.size(); g += static_cast<std::size_t>(kernels_.panels)) {
    const int n_panels = static_cast<int>(std::min(groups.size() - g, static_cast<std::size_t>(kernels_.panels)));
    float* sums = out + static_cast<std::int64_t>(g) * group_stride;
    for (std::int64_t first = 0; first < all_blocks; first += kPanelBlocks) {
      const std::int64_t blocks = std::min(kPanelBlocks, all_blocks - first);
      Panel panels[kMaxPanels];
      for (int p = 0; p < n_panels; ++p) {
        panels[p] = expand(memory + p * kPanelBytes, row_memory, matrix, expert,
                           groups[g + static_cast<std::size_t>(p)], first, blocks);
      }
      for (std::int64_t i = 0; i < split.count; ++i) {
        Tile tile = tiles.at(tokens.first + split.first(i), split.size(i), first);
        tile.starts += tile.tokens * first * kernels_.parts(kind);
        tile.sums += tile.tokens * first * shape.groups;
        kernels_.product[static_cast<int>(kind)][n_panels - 1][tile.tokens - 1](
            panels, tile, blocks, sums + split.first(i) * kRows, group_stride);
      }
    }
  }
}

/// A few tokens: every group is decoded on its way from memory.
void Workspace::multiply_streams(const Matrix& matrix, std::int64_t expert, std::span<const std::int64_t> groups,
                                 const Tiles& tiles, const TokenRange& tokens, float* out,
                                 const std::uint8_t* after) const {
  const auto n = static_cast<int>(tokens.split.tokens);
  const Tile tile = tiles.at(tokens.first, n);
  const StreamProduct product = kernels_.stream_product[static_cast<int>(matrix.store())][n - 1];
  for (std::size_t i = 0; i < groups.size(); ++i, out += n * kRows) {
    const bool last = i + 1 == groups.size();
    const std::uint8_t* next = matrix.stream(expert, last ? groups[i] + 1 : groups[i + 1]);
    product(matrix.stream(expert, groups[i]), last && after != nullptr ? after : next, tile, matrix.columns() / kBlock,
            out);
  }
}

Panel Workspace::expand(std::uint8_t* memory, std::uint8_t* row_memory, const Matrix& matrix, std::int64_t expert,
                        std::int64_t index, std::int64_t first_block, std::int64_t blocks) const {
  const FormatInfo& format = matrix.format();
  const RowGroup group = matrix.group(index);
  const auto at = bytes_in(matrix.packing().order);
  const int groups = kBlock / format.group;
  auto* codes = memory;
  auto* scales = reinterpret_cast<float*>(memory + blocks * 512);
  float* minimums = scales + blocks * groups * kRows;
  if (matrix.store() != Store::none) {
    kernels_.expand[static_cast<int>(matrix.store())](matrix.stream(expert, index), matrix.columns() / kBlock,
                                                      first_block, blocks, codes, scales, minimums);
    return {codes, scales, minimums};
  }
  auto* row_codes = reinterpret_cast<std::int8_t*>(row_memory);
  auto* row_scales = reinterpret_cast<float*>(row_memory + kPanelBlocks * kBlock);
  float* row_minimums = row_scales + blocks * groups;
  if (group.count < kRows) std::memset(memory, 0, static_cast<std::size_t>(kPanelBytes));
  for (int lane = 0; lane < group.count; ++lane) {
    format.decode(matrix.row(expert, group.first + lane), first_block, blocks, row_codes, row_scales, row_minimums);
    for (std::int64_t block = 0; block < blocks; ++block) {
      std::uint8_t biased[kBlock];
      for (std::size_t i = 0; i < kBlock; ++i) {
        biased[i] = static_cast<std::uint8_t>(row_codes[block * kBlock + at[i]] + format.bias);
      }
      for (int j = 0; j < 8; ++j) std::memcpy(codes + (block * 8 + j) * 64 + lane * 4, biased + j * 4, 4);
    }
    for (std::int64_t i = 0; i < blocks * groups; ++i) {
      scales[i * kRows + lane] = row_scales[i];
      if (format.has_minimum) minimums[i * kRows + lane] = row_minimums[i];
    }
  }
  return {codes, scales, minimums};
}

}  // namespace harness
