// Scratch memory of a program and the products made in it.
//
// Every operation says at construction what it needs; operations run one after another, so they share it. A phase of an
// operation begins when all units of the one before are done; within a phase a worker writes only its own units'
// results. A worker that comes late may read what is being written anew, for a unit that is not kept (base/team.h).
// Numbers may be torn then, so places and counts are read from nothing but routings, which stay through a ubatch.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/team.h"
#include "kernels/kernels.h"
#include "weights/matrix.h"

namespace harness {

/// Cuts tokens into tiles of nearly equal size, none above `largest`.
struct TileSplit {
  TileSplit(std::int64_t n_tokens, int largest)
      : tokens(n_tokens),
        count((n_tokens + largest - 1) / largest),
        base(count ? n_tokens / count : 0),
        extra(count ? n_tokens % count : 0) {}

  /// Tiles begin .. end of this split, cut in the same places.
  TileSplit part(std::int64_t begin, std::int64_t end) const {
    TileSplit piece = *this;
    piece.count = end - begin;
    piece.extra = std::clamp<std::int64_t>(extra - begin, 0, piece.count);
    piece.tokens = piece.count * base + piece.extra;
    return piece;
  }

  std::int64_t first(std::int64_t tile) const { return tile * base + std::min(tile, extra); }
  int size(std::int64_t tile) const { return static_cast<int>(base + (tile < extra)); }

  std::int64_t tokens;
  std::int64_t count;
  std::int64_t base;
  std::int64_t extra;
};

/// Packed tiles of tokens that lie one after another.
struct Tiles {
  std::uint8_t* memory = nullptr;
  std::int64_t blocks = 0;

  static std::int64_t bytes(std::int64_t tokens, std::int64_t columns) { return tokens * (columns / kBlock) * 52; }
  Tile at(std::int64_t first_token, int tokens, std::int64_t first_block = 0) const;
};

/// Quantised activations, a token a row.
struct QuantisedRows {
  std::int8_t* codes = nullptr;
  float* scales = nullptr;
  std::int64_t columns = 0;

  static std::int64_t bytes(std::int64_t tokens, std::int64_t columns) {
    return tokens * (columns + columns / kBlock * 4);
  }
  static QuantisedRows in(std::uint8_t* memory, std::int64_t tokens, std::int64_t columns) {
    return {reinterpret_cast<std::int8_t*>(memory), reinterpret_cast<float*>(memory + tokens * columns), columns};
  }
  std::int8_t* codes_of(std::int64_t token) const { return codes + token * columns; }
  float* scales_of(std::int64_t token) const { return scales + token * (columns / kBlock); }
};

/// Rows of floats; `order`, where given, says which row stands at a place.
struct FloatRows {
  const float* data = nullptr;
  std::int64_t stride = 0;
  const std::int32_t* order = nullptr;

  const float* of(std::int64_t place) const { return data + (order == nullptr ? place : order[place]) * stride; }
};

/// What a product multiplies: tiles for quantised weights, floats for plain ones.
struct Activations {
  Tiles tiles;
  FloatRows floats;
};

/// Tokens first .. first + count of some activations, cut into tiles.
struct TokenRange {
  std::int64_t first;
  TileSplit split;
};

class Workspace {
 public:
  Workspace(const Kernels& kernels, std::int64_t ubatch, int n_threads);

  const Kernels& kernels() const { return kernels_; }
  std::int64_t ubatch() const { return ubatch_; }
  int threads() const { return n_threads_; }

  enum Region { kTiles, kMoreTiles, kQuantised, kProducts, kActs, kRegions };
  static constexpr int kPackings = 4;  // different ones that one operation's weights may need

  /// To be called while operations are made.
  void reserve(Region region, std::int64_t bytes);
  void reserve_local(std::int64_t bytes);
  /// To be called once, when all are.
  void allocate();

  std::uint8_t* region(Region region) const { return regions_[region].as(); }
  /// A worker's own memory, as large as the largest reservation.
  std::uint8_t* local(const Worker& worker) const {
    return locals_.as() +
           static_cast<std::size_t>(worker.index()) * static_cast<std::size_t>(local_bytes_ + kFixedLocal);
  }
  /// A worker's own sums for a product: kMostSums x 16 floats, of kMaxGroups and kTokensAtOnce or of other shapes.
  float* sums(const Worker& worker) const { return reinterpret_cast<float*>(local(worker) + local_bytes_); }

  static constexpr int kMaxGroups = 4;
  static constexpr int kMaxRun = 16;                  // groups that one token is multiplied with at once
  static constexpr std::int64_t kTokensAtOnce = 264;  // 33 tiles of 8, 44 of 6
  static constexpr std::int64_t kMostSums = kMaxGroups * kTokensAtOnce;

  /// All numbers of one row, packed or not.
  void decode_row(const Worker& worker, const Matrix& matrix, std::int64_t row, float* out) const;

  /// Products of groups of one expert with a range of at most kTokensAtOnce tokens: out[group][token][16].
  /// `after`: the packed group that this worker reads next, where it is not the one that lies behind the last of these.
  void multiply(const Worker& worker, const Matrix& matrix, std::int64_t expert, std::span<const std::int64_t> groups,
                const Activations& activations, const TokenRange& tokens, float* out,
                const std::uint8_t* after = nullptr) const;

 private:
  static constexpr std::int64_t kPanelBlocks = 64;
  static constexpr std::int64_t kPanelBytes = kPanelBlocks * (512 + 4 * 64);
  static constexpr std::int64_t kSumBytes = kMostSums * kRows * 4;
  static constexpr std::int64_t kRowBytes = kPanelBlocks * (kBlock + 16) + kTokensAtOnce * 8;
  static constexpr std::int64_t kFixedLocal = kSumBytes + kMaxPanels * kPanelBytes + kRowBytes;

  void multiply_floats(const Worker& worker, const Matrix& matrix, std::int64_t expert, const RowGroup& group,
                       const FloatRows& rows, const TokenRange& tokens, float* out) const;
  void multiply_panels(const Worker& worker, const Matrix& matrix, std::int64_t expert,
                       std::span<const std::int64_t> groups, const Tiles& tiles, const TokenRange& tokens,
                       float* out) const;
  void multiply_streams(const Matrix& matrix, std::int64_t expert, std::span<const std::int64_t> groups,
                        const Tiles& tiles, const TokenRange& tokens, float* out, const std::uint8_t* after) const;
  Panel expand(std::uint8_t* memory, std::uint8_t* row_memory, const Matrix& matrix, std::int64_t expert,
               std::int64_t index, std::int64_t first_block, std::int64_t blocks) const;

  const Kernels& kernels_;
  std::int64_t ubatch_;
  int n_threads_;
  std::array<std::int64_t, kRegions> region_bytes_{};
  std::int64_t local_bytes_ = 0;
  std::array<Buffer, kRegions> regions_;
  Buffer locals_;
};

}  // namespace harness
