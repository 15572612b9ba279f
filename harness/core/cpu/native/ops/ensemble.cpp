#include "ops/ensemble.h"

#include <algorithm>
#include <stdexcept>

#include "base/spin.h"
#include "formats/half.h"

namespace harness {
namespace {

// Programs that share a part of a layer finish it within microseconds of each other; after that the core may be needed
// by whoever is late.
constexpr int kSpins = 4000;
constexpr std::int64_t kColumnsAtOnce = 1024;

/// Where a crossing writes a token's row. Only the last one makes logits: those that the caller asked for.
float* target(const Place& place, std::int64_t token, const Range& range, const Step& step) {
  return place.logits ? step.logits + token * place.value.columns : place.value.row(range.first + token);
}

template <Wire wire>
float on_the_wire(float value) {
  if constexpr (wire == Wire::f16) return half_to_float(float_to_half(value));
  if constexpr (wire == Wire::bf16) return bfloat_to_float(float_to_bfloat(value));
  return value;
}

/// out = on_the_wire(first), or out += on_the_wire(next).
template <Wire wire>
void add_partial(const float* partial, bool first, std::int64_t n, float* out) {
  if (first) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = on_the_wire<wire>(partial[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] += on_the_wire<wire>(partial[i]);
  }
}

void copy_row(const QuantisedRows& from, std::int64_t row, const QuantisedRows& to) {
  std::copy(from.codes_of(row), from.codes_of(row + 1), to.codes_of(row));
  std::copy(from.scales_of(row), from.scales_of(row + 1), to.scales_of(row));
}

auto adder(Wire wire) {
  switch (wire) {
    case Wire::f16:
      return add_partial<Wire::f16>;
    case Wire::bf16:
      return add_partial<Wire::bf16>;
    case Wire::f32:
      break;
  }
  return add_partial<Wire::f32>;
}

}  // namespace

Ensemble::Ensemble(std::vector<Program*> programs)
    : progress_(std::make_unique<Progress[]>(programs.size())), callers_(static_cast<int>(programs.size())) {
  if (programs.empty()) throw std::invalid_argument("an ensemble needs programs");
  for (Program* program : programs) programs_.push_back({program, {}, 0, {}});
}

void Ensemble::add(std::size_t index, bool all_tokens, std::vector<Wait> waits, Work work) {
  Member& member = programs_.at(index);
  for (const Wait& wait : waits) {
    if (wait.program >= programs_.size() || wait.program == index) {
      throw std::invalid_argument("a step waits for a program that is not another one of the ensemble");
    }
  }
  if (const auto* part = std::get_if<Part>(&work)) {
    if (part->first > part->last || part->last > member.program->ops()) {
      throw std::invalid_argument("the program has no such operations");
    }
  } else if (const auto* gather = std::get_if<Gather>(&work)) {
    check_crossing(index, gather->inputs, gather->output);
    std::int64_t columns = 0;
    for (const Place& input : gather->inputs) columns += input.value.columns;
    if (columns != gather->output.value.columns) throw std::invalid_argument("gathered columns are not the output's");
  } else if (const auto* acts = std::get_if<GatherActs>(&work)) {
    check_acts(index, *acts);
  } else {
    const Reduce& reduce = std::get<Reduce>(work);
    check_crossing(index, reduce.inputs, reduce.output);
    if (reduce.inputs.size() < (reduce.residual ? 2U : 1U)) throw std::invalid_argument("nothing is reduced");
    for (const Place& input : reduce.inputs) {
      if (input.value.columns != reduce.output.value.columns)
        throw std::invalid_argument("partial sums differ in size");
    }
  }
  member.script.push_back({all_tokens, std::move(waits), std::move(work)});
}

void Ensemble::check(const Place& place) const {
  const Member& member = programs_.at(place.program);
  if (place.logits ? place.value.columns < 1 : place.value.data == nullptr) {
    throw std::invalid_argument("a crossing's value has no place");
  }
  if (place.logits && member.kept_columns && place.value.columns != member.kept_columns) {
    throw std::invalid_argument("logits that cross are not those that are kept");
  }
}

void Ensemble::check_crossing(std::size_t index, const std::vector<Place>& inputs, const Place& output) const {
  if (inputs.empty()) throw std::invalid_argument("a crossing reads nothing");
  for (const Place& input : inputs) {
    check(input);
    if (input.logits && !programs_[input.program].kept_columns) throw std::invalid_argument("logits are not kept");
  }
  if (output.program != index) throw std::invalid_argument("a crossing writes into another program");
  if (!output.logits) check(output);
}

void Ensemble::check_acts(std::size_t index, const GatherActs& gather) {
  if (gather.inputs.empty()) throw std::invalid_argument("a crossing reads nothing");
  if (gather.output.program != index) throw std::invalid_argument("a crossing writes into another program");
  if (gather.slots < 1) throw std::invalid_argument("a token has at least one slot");
  const std::int64_t unit = gather.slots * (gather.output.act->quantised ? kBlock : 1);
  std::int64_t columns = 0;
  for (const ActPlace& input : gather.inputs) {
    if (input.columns < 1 || input.columns % unit != 0) throw std::invalid_argument("activations have no whole slots");
    if (input.act->quantised && (gather.inputs.size() > 1 || !gather.output.act->quantised)) {
      throw std::invalid_argument("codes are copied to where codes are read, and never gathered");
    }
    columns += input.columns;
  }
  if (columns != gather.output.columns) throw std::invalid_argument("gathered columns are not the output's");
}

void Ensemble::run(std::span<const std::int32_t> ids, std::int64_t position, std::int64_t outputs, float* logits) {
  for (Member& member : programs_) {
    member.program->check(ids, position, outputs);
    const auto kept = static_cast<std::size_t>(outputs * member.kept_columns);
    if (member.kept_logits.size() < kept) member.kept_logits.resize(kept);
  }
  for (std::size_t i = 0; i < programs_.size(); ++i) progress_[i].steps.store(0, std::memory_order_relaxed);
  const Step step{ids.data(), static_cast<std::int64_t>(ids.size()), position, logits};
  callers_.run([&](Worker& caller) {
    caller.for_each(callers_.count(),
                    [&](std::int64_t index) { play(static_cast<std::size_t>(index), step, outputs); });
  });
}

void Ensemble::play(std::size_t index, const Step& step, std::int64_t outputs) {
  Member& member = programs_[index];
  const Range all{0, step.tokens};
  const Range wanted{step.tokens - outputs, outputs};
  Step own = step;
  if (member.kept_columns) own.logits = member.kept_logits.data();
  member.program->team().run([&](Worker& worker) {
    std::int64_t done = 0;
    for (const ScriptStep& next : member.script) {
      const Range& range = next.all_tokens ? all : wanted;
      if (range.count > 0) {
        wait_for(next.waits);
        if (const auto* part = std::get_if<Part>(&next.work)) {
          member.program->run_operations(worker, part->first, part->last, own, range);
        } else if (const auto* gather = std::get_if<Gather>(&next.work)) {
          cross(worker, *gather, step, range);
        } else if (const auto* acts = std::get_if<GatherActs>(&next.work)) {
          cross(worker, *acts, range);
        } else {
          cross(worker, std::get<Reduce>(next.work), step, range);
        }
      }
      reached(index, ++done);
    }
  });
}

/// `steps` steps of program `index` are done; a worker that comes late says what is known.
void Ensemble::reached(std::size_t index, std::int64_t steps) const {
  std::atomic<std::int64_t>& known = progress_[index].steps;
  std::int64_t before = known.load(std::memory_order_relaxed);
  while (before < steps && !known.compare_exchange_weak(before, steps, std::memory_order_release)) {
  }
}

void Ensemble::wait_for(const std::vector<Wait>& waits) const {
  for (const Wait& wait : waits) {
    const std::atomic<std::int64_t>& steps = progress_[wait.program].steps;
    spin_until([&] { return steps.load(std::memory_order_acquire) >= wait.steps; }, kSpins);
  }
}

const float* Ensemble::source(const Place& place, std::int64_t token, const Range& range) const {
  if (!place.logits) return place.value.row(range.first + token);
  return programs_[place.program].kept_logits.data() + token * place.value.columns;
}

void Ensemble::cross(Worker& worker, const Gather& gather, const Step& step, const Range& range) const {
  worker.for_each(range.count, [&](std::int64_t token) {
    float* out = target(gather.output, token, range, step);
    for (const Place& input : gather.inputs) {
      const float* from = source(input, token, range);
      out = std::copy(from, from + input.value.columns, out);
    }
  });
}

void Ensemble::cross(Worker& worker, const GatherActs& gather, const Range& range) const {
  const Kernels& kernels = programs_[gather.output.program].program->workspace().kernels();
  const std::int64_t pairs = range.count * gather.slots;
  const std::int64_t columns = gather.output.columns / gather.slots;
  const Act& out = *gather.output.act;
  const QuantisedRows rows = out.rows(pairs, columns);
  const Act& first = *gather.inputs.front().act;
  const QuantisedRows codes = first.rows(pairs, columns);
  worker.for_each(pairs, [&](std::int64_t place) {
    if (first.quantised) return copy_row(codes, place, rows);
    std::int64_t column = 0;
    for (const ActPlace& input : gather.inputs) {
      const std::int64_t n = input.columns / gather.slots;
      const float* from = input.act->floats() + place * n;
      if (out.quantised) {
        kernels.quantise(from, n, rows.codes_of(place) + column, rows.scales_of(place) + column / kBlock);
      } else {
        std::copy(from, from + n, out.floats() + place * columns + column);
      }
      column += n;
    }
  });
}

void Ensemble::cross(Worker& worker, const Reduce& reduce, const Step& step, const Range& range) const {
  const std::int64_t columns = reduce.output.value.columns;
  const std::int64_t pieces = (columns + kColumnsAtOnce - 1) / kColumnsAtOnce;
  const std::size_t partials = reduce.inputs.size() - (reduce.residual ? 1 : 0);
  const auto add = adder(reduce.wire);
  worker.for_each(range.count * pieces, [&](std::int64_t unit) {
    const std::int64_t token = unit / pieces;
    const std::int64_t first = unit % pieces * kColumnsAtOnce;
    const std::int64_t n = std::min(kColumnsAtOnce, columns - first);
    float* out = target(reduce.output, token, range, step) + first;
    for (std::size_t i = 0; i < partials; ++i) add(source(reduce.inputs[i], token, range) + first, i == 0, n, out);
    if (reduce.residual) add_partial<Wire::f32>(source(reduce.inputs.back(), token, range) + first, false, n, out);
  });
}

}  // namespace harness
