// Several programs that run one model together, each on threads of its own: a script of steps per program.
//
// A step is a run of a program's operations, or a crossing that reads values where they lie in other programs. Every
// step says how many steps of which programs it waits for: of those that make what it reads, and of those that still
// read what it overwrites. Waits point backwards in one order of all steps, so no two programs wait for each other.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "ops/program.h"

namespace harness {

/// Until `steps` steps of program `program` are done.
struct Wait {
  std::size_t program;
  std::int64_t steps;
};

/// Operations first .. last of the step's program.
struct Part {
  std::size_t first;
  std::size_t last;
};

enum class Wire { f32, f16, bf16 };

/// Floats of one program that a crossing reads or makes. Logits have rows for the wanted tokens alone.
struct Place {
  std::size_t program;
  bool logits;
  Value value;  // of logits the columns alone
};

/// Columns of all inputs side by side; of one input, a copy.
struct Gather {
  std::vector<Place> inputs;
  Place output;
};

/// Activations of experts that one program has: `columns` numbers a token, its pairs side by side.
struct ActPlace {
  std::size_t program;
  const Act* act;
  std::int64_t columns;
};

/// As Gather, within each of a token's `slots` pairs. All programs route all tokens to the same bits and sort their
/// pairs by one rule, so a pair has the same place in each of them. Floats are quantised where the output is.
struct GatherActs {
  std::vector<ActPlace> inputs;
  ActPlace output;
  std::int64_t slots;
};

/// Partial sums, each rounded to the wire's type, added in ascending order; then, with `residual`, the last input.
struct Reduce {
  std::vector<Place> inputs;
  Place output;
  Wire wire;
  bool residual;
};

using Work = std::variant<Part, Gather, GatherActs, Reduce>;

class Ensemble {
 public:
  /// The caller keeps the programs, which are sealed.
  explicit Ensemble(std::vector<Program*> programs);

  std::size_t programs() const { return programs_.size(); }
  Program& program(std::size_t index) const { return *programs_.at(index).program; }

  /// Rows of logits that program `index` makes for others, `columns` each.
  void keep_logits(std::size_t index, std::int64_t columns) { programs_.at(index).kept_columns = columns; }

  /// The next step of program `index`; without `all_tokens` it deals with those whose logits are wanted.
  /// Errors: std::invalid_argument for programs, operations or extents that do not fit.
  void add(std::size_t index, bool all_tokens, std::vector<Wait> waits, Work work);

  /// One ubatch on all programs; `outputs`, `logits` and errors as of Program::run().
  void run(std::span<const std::int32_t> ids, std::int64_t position, std::int64_t outputs, float* logits);

 private:
  struct ScriptStep {
    bool all_tokens;
    std::vector<Wait> waits;
    Work work;
  };

  struct Member {
    Program* program;
    std::vector<ScriptStep> script;
    std::int64_t kept_columns = 0;
    std::vector<float> kept_logits;
  };

  struct alignas(64) Progress {
    std::atomic<std::int64_t> steps{0};
  };

  void check(const Place& place) const;
  void check_crossing(std::size_t index, const std::vector<Place>& inputs, const Place& output) const;
  static void check_acts(std::size_t index, const GatherActs& gather);
  void play(std::size_t index, const Step& step, std::int64_t outputs);
  void reached(std::size_t index, std::int64_t steps) const;
  void wait_for(const std::vector<Wait>& waits) const;
  const float* source(const Place& place, std::int64_t token, const Range& range) const;
  void cross(Worker& worker, const Gather& gather, const Step& step, const Range& range) const;
  void cross(Worker& worker, const GatherActs& gather, const Range& range) const;
  void cross(Worker& worker, const Reduce& reduce, const Step& step, const Range& range) const;

  std::vector<Member> programs_;
  std::unique_ptr<Progress[]> progress_;
  Team callers_;
};

}  // namespace harness
