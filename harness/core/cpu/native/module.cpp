// The Python face of the CPU backend: weights and programs. Numbers are checked here or below, never by Python alone.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>
#include <tuple>

#include "ops/ensemble.h"
#include "ops/program.h"

namespace nb = nanobind;

namespace harness {
namespace {

using Bytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using FloatTable = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using TokenIds = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutFloats = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OutTimes = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using At = std::pair<std::int64_t, std::int64_t>;                 // buffer, columns
using Source = std::pair<std::size_t, At>;                        // program, where
using Waits = std::vector<std::pair<std::size_t, std::int64_t>>;  // program, steps

const FormatInfo& format_named(const std::string& name) {
  const FormatInfo* format = find_format(name);
  if (format == nullptr) throw std::invalid_argument("format " + name + " has no decoder");
  return *format;
}

const Kernels& kernels_named(const std::string& name) {
  for (const Kernels* kernels : usable_kernels()) {
    if (kernels->name == name) return *kernels;
  }
  throw std::invalid_argument("kernels " + name + " cannot run on this processor");
}

template <class E>
E one_of(const std::string& name, std::initializer_list<std::pair<const char*, E>> choices) {
  for (const auto& [text, value] : choices) {
    if (name == text) return value;
  }
  throw std::invalid_argument("unknown choice " + name);
}

Activation activation_named(const std::string& name) {
  return one_of<Activation>(name, {{"swiglu", Activation::swiglu}, {"swiglu_oai", Activation::swiglu_oai}});
}

KvType kv_type_named(const std::string& name) {
  return one_of<KvType>(name, {{"f16", KvType::f16}, {"q8_0", KvType::q8_0}});
}

std::span<const float> flat(const FloatTable& table) { return {table.data(), table.size()}; }

/// A program under construction and in use, with the handles Python passes around.
class Context {
 public:
  Context(const std::string& kernels, std::int64_t ubatch, std::int64_t n_ctx, std::int64_t n_vocab, int n_threads,
          const std::vector<std::int64_t>& buffers)
      : program_(kernels_named(kernels), {ubatch, n_ctx, n_vocab, n_threads}, buffers), n_vocab_(n_vocab) {}

  void add_cache(std::int64_t n_head_kv, int head_dim, int head_dim_v, int window, const std::string& type_k,
                 const std::string& type_v) {
    program_.add_cache(n_head_kv, head_dim, head_dim_v, window, kv_type_named(type_k), kv_type_named(type_v));
  }
  void add_rope(const FloatTable& cosine, const FloatTable& sine) {
    program_.add_rope(flat(cosine), flat(sine), static_cast<std::int64_t>(cosine.shape(1)));
  }
  void embed(Weight table, At x) {
    if (table->rows() < n_vocab_) throw std::invalid_argument("the table has fewer rows than the vocabulary");
    program_.add<Embed>(program_.workspace(), std::move(table), at(x));
  }
  void rms_norm(const Weight& norm, float eps, At x, At y) {
    program_.add<RmsNorm>(program_.workspace(), norm, eps, at(x), at(y));
  }
  void qkv(const std::vector<std::pair<Weight, Weight>>& projections, const Weight& q_norm, const Weight& k_norm,
           std::size_t slot, int n_head, float eps, const std::string& rope, std::size_t rope_table, At h, At q) {
    std::vector<Projection> found;
    for (const auto& [weight, bias] : projections) found.push_back({weight, bias});
    const auto kind = one_of<Rope>(rope, {{"none", Rope::none}, {"neox", Rope::neox}, {"norm", Rope::norm}});
    const RopeTable table = kind == Rope::none ? RopeTable{} : program_.rope(rope_table);
    program_.add<Qkv>(program_.workspace(), std::move(found), q_norm, k_norm, QkvParams{n_head, eps, kind, table},
                      program_.cache(slot), at(h), at(q));
  }
  void attention(const Weight& sinks, std::size_t slot, int n_head, float scale, bool rounds, At q, At a) {
    program_.add<Attention>(program_.workspace(), sinks, n_head, scale, rounds, program_.cache(slot), at(q), at(a));
  }
  void linear(Weight weight, const Weight& bias, At x, std::optional<At> residual, At y) {
    program_.add<Linear>(program_.workspace(), std::move(weight), bias, at(x), maybe(residual), at(y));
  }
  /// Returns the handle of the routing.
  std::size_t route(Weight router, const Weight& bias, int top_k, const std::string& gating, bool renorm,
                    float weight_scale, At h) {
    const auto kind = one_of<Gating>(
        gating, {{"softmax", Gating::softmax}, {"sigmoid", Gating::sigmoid}, {"softmax_topk", Gating::softmax_topk}});
    const auto n_expert = static_cast<int>(router->rows());
    const RouteParams params{n_expert, top_k, kind, renorm, weight_scale};
    std::int64_t* counts = program_.add_counts(n_expert).data();
    program_.add<Route>(program_.workspace(), std::move(router), bias, params, counts, at(h), program_.add_routing());
    return n_routings_++;
  }
  /// Returns the handle of the activations.
  std::size_t moe_up_gate(const Weight& gate, const Weight& up, const Weight& gate_bias, const Weight& up_bias,
                          const FeedForwardParams& params, At h, std::size_t routing, At act) {
    program_.add<MoeUpGate>(program_.workspace(), GateUp{gate, up, gate_bias, up_bias}, params, at(h),
                            program_.routing(routing), program_.add_act(act.first, act.second));
    return n_acts_++;
  }
  void moe_down(Weight down, const Weight& bias, const FeedForwardParams& params, std::size_t act, std::size_t routing,
                std::optional<At> x, At y) {
    program_.add<MoeDown>(program_.workspace(), std::move(down), bias, params, program_.act(act),
                          program_.routing(routing), maybe(x), at(y));
  }
  void ffn(const Weight& gate, const Weight& up, Weight down, const FeedForwardParams& params, At h,
           std::optional<At> x, At y) {
    program_.add<Ffn>(program_.workspace(), GateUp{gate, up, {}, {}}, std::move(down), params, at(h), maybe(x), at(y));
  }
  void ffn_up_gate(const Weight& gate, const Weight& up, const FeedForwardParams& params, At h, At y) {
    program_.add<FfnUpGate>(program_.workspace(), GateUp{gate, up, {}, {}}, params, at(h), at(y));
  }
  /// Room for activations that other devices make; returns their handle.
  std::size_t act_from_outside(At act) {
    program_.add_act(act.first, act.second);
    return n_acts_++;
  }
  /// `output` may hold a share of the vocabulary's rows; then only parts of this program are run.
  void logits(Weight output, At h) {
    if (output->rows() > n_vocab_) throw std::invalid_argument("the output has more rows than the vocabulary");
    expect("output", *output, 1, output->rows(), h.second);
    n_logits_ = output->rows();
    program_.add<Logits>(program_.workspace(), std::move(output), at(h));
  }
  void seal() { program_.seal(); }

  void run(const TokenIds& ids, std::int64_t position, std::optional<OutFloats> logits, std::optional<OutTimes> op_ns) {
    const std::int64_t outputs = logits ? static_cast<std::int64_t>(logits->shape(0)) : 0;
    if (logits && (static_cast<std::int64_t>(logits->shape(1)) != n_vocab_ || (n_logits_ && n_logits_ != n_vocab_))) {
      throw std::invalid_argument("logits have as many columns as the vocabulary has tokens");
    }
    if (op_ns && op_ns->size() != program_.ops()) throw std::invalid_argument("one time per operation is taken");
    const std::span<const std::int32_t> tokens{ids.data(), ids.size()};
    float* out = logits ? logits->data() : nullptr;
    std::int64_t* times = op_ns ? op_ns->data() : nullptr;
    const nb::gil_scoped_release released;
    program_.run(tokens, position, outputs, out, times);
  }

  /// Operations first .. last; `logits` [tokens][rows of the output] where they are among them.
  void run_part(std::size_t first, std::size_t last, const TokenIds& ids, std::int64_t position,
                std::optional<OutFloats> logits) {
    if (logits && (logits->shape(0) != ids.size() || static_cast<std::int64_t>(logits->shape(1)) != n_logits_)) {
      throw std::invalid_argument("logits have a row for each token and a column for each row of the output");
    }
    const std::span<const std::int32_t> tokens{ids.data(), ids.size()};
    float* out = logits ? logits->data() : nullptr;
    const nb::gil_scoped_release released;
    program_.run_part(first, last, tokens, position, out);
  }

  std::vector<std::int64_t> counts(std::size_t routing) const { return program_.counts(routing); }
  Program& program() { return program_; }
  std::int64_t n_vocab() const { return n_vocab_; }

  // The rest reaches into a program: for values that other devices make or need, and for tests.

  /// A float value's first rows; only a value whose buffer no later op took still holds them.
  void read(At value, const OutFloats& out) const {
    const float* data = rows_of(value, out.shape(0), out.shape(1));
    std::copy(data, data + out.size(), out.data());
  }
  void write(At value, const FloatTable& rows) {
    std::copy(rows.data(), rows.data() + rows.size(), rows_of(value, rows.shape(0), rows.shape(1)));
  }
  /// Experts and weights of the last run's tokens, slot by slot.
  std::pair<std::vector<std::int32_t>, std::vector<float>> routed(std::size_t routing) {
    const Routing& found = program_.routing(routing);
    return {found.experts, found.weights};
  }
  /// What flows from moe_up_gate to moe_down, as floats [(token, slot)][n_ff].
  void read_act(std::size_t act, std::size_t routing, const OutFloats& out) {
    decode_act(program_.act(act), program_.routing(routing), static_cast<std::int64_t>(out.shape(0)),
               static_cast<std::int64_t>(out.shape(1)), out.data());
  }
  void write_act(std::size_t act, std::size_t routing, const FloatTable& rows) {
    encode_act(program_.workspace().kernels(), rows.data(), program_.routing(routing),
               static_cast<std::int64_t>(rows.shape(0)), static_cast<std::int64_t>(rows.shape(1)), program_.act(act));
  }

 private:
  float* rows_of(At place, std::size_t rows, std::size_t columns) const {
    const Value found = at(place);
    if (rows > static_cast<std::size_t>(program_.ubatch()) || columns != static_cast<std::size_t>(found.columns)) {
      throw std::invalid_argument("the array's shape is not the value's");
    }
    return found.data;
  }
  Value at(At place) const { return program_.value(place.first, place.second); }
  Value maybe(std::optional<At> place) const { return place ? at(*place) : Value{}; }

  Program program_;
  std::int64_t n_vocab_;
  std::int64_t n_logits_ = 0;
  std::size_t n_routings_ = 0;
  std::size_t n_acts_ = 0;
};

/// Several contexts that run one model together.
class Contexts {
 public:
  explicit Contexts(const std::vector<Context*>& contexts)
      : ensemble_(programs_of(contexts)), n_vocab_(contexts.front()->n_vocab()) {}

  void keep_logits(std::size_t program, std::int64_t columns) { ensemble_.keep_logits(program, columns); }
  void part(std::size_t program, bool all_tokens, const Waits& waits, std::size_t first, std::size_t last) {
    ensemble_.add(program, all_tokens, listed(waits), Part{first, last});
  }
  void gather(std::size_t program, bool all_tokens, const Waits& waits, const std::vector<Source>& inputs, At output) {
    ensemble_.add(program, all_tokens, listed(waits), Gather{all(inputs), one({program, output})});
  }
  /// Activations are named by their handles; a copy is of one slot that takes all columns.
  void gather_acts(std::size_t program, bool all_tokens, const Waits& waits, const std::vector<Source>& inputs,
                   At output, std::int64_t slots) {
    std::vector<ActPlace> found;
    for (const auto& [from, act] : inputs) found.push_back(act_at(from, act));
    ensemble_.add(program, all_tokens, listed(waits), GatherActs{found, act_at(program, output), slots});
  }
  void reduce(std::size_t program, bool all_tokens, const Waits& waits, const std::vector<Source>& inputs, At output,
              const std::string& wire, bool residual) {
    const auto kind = one_of<Wire>(wire, {{"f32", Wire::f32}, {"f16", Wire::f16}, {"bf16", Wire::bf16}});
    ensemble_.add(program, all_tokens, listed(waits), Reduce{all(inputs), one({program, output}), kind, residual});
  }
  void run(const TokenIds& ids, std::int64_t position, std::optional<OutFloats> logits) {
    if (logits && static_cast<std::int64_t>(logits->shape(1)) != n_vocab_) {
      throw std::invalid_argument("logits have as many columns as the vocabulary has tokens");
    }
    const std::int64_t outputs = logits ? static_cast<std::int64_t>(logits->shape(0)) : 0;
    const std::span<const std::int32_t> tokens{ids.data(), ids.size()};
    float* out = logits ? logits->data() : nullptr;
    const nb::gil_scoped_release released;
    ensemble_.run(tokens, position, outputs, out);
  }

 private:
  static std::vector<Program*> programs_of(const std::vector<Context*>& contexts) {
    std::vector<Program*> programs;
    for (Context* context : contexts) programs.push_back(&context->program());
    return programs;
  }
  static std::vector<Wait> listed(const Waits& waits) {
    std::vector<Wait> found;
    for (const auto& [program, steps] : waits) found.push_back({program, steps});
    return found;
  }
  /// A buffer below 0 stands for logits.
  Place one(const Source& source) const {
    const auto& [program, at] = source;
    if (at.first < 0) return {program, true, {nullptr, at.second}};
    return {program, false, ensemble_.program(program).value(at.first, at.second)};
  }
  ActPlace act_at(std::size_t program, At act) const {
    if (act.first < 0) throw std::invalid_argument("activations have no such handle");
    return {program, &ensemble_.program(program).act(static_cast<std::size_t>(act.first)), act.second};
  }
  std::vector<Place> all(const std::vector<Source>& sources) const {
    std::vector<Place> found;
    for (const Source& source : sources) found.push_back(one(source));
    return found;
  }

  Ensemble ensemble_;
  std::int64_t n_vocab_;
};

std::span<const std::uint8_t> flat(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

FeedForwardParams feed_forward_params(int n_expert, int top_k, std::int64_t n_ff, const std::string& activation,
                                      bool fused, bool per_expert) {
  if (n_expert < 1 || top_k < 1 || top_k > n_expert || n_ff < 1) {
    throw std::invalid_argument("a feed-forward part's extent is out of range");
  }
  return {n_expert, top_k, n_ff, activation_named(activation), fused, per_expert};
}

void bind(nb::module_& m) {
  nb::class_<Matrix>(m, "Matrix")
      .def(
          "__init__",
          [](Matrix* self, const std::string& format, std::tuple<std::int64_t, std::int64_t, std::int64_t> shape,
             std::int64_t row_bytes, int halves, bool packed, bool small) {
            const auto [experts, rows, columns] = shape;
            new (self) Matrix(format_named(format), {experts, rows, columns, halves}, row_bytes, packed, small);
          },
          nb::arg("format"), nb::arg("shape"), nb::arg("row_bytes"), nb::arg("halves"), nb::arg("packed") = false,
          nb::arg("small") = false)
      .def_prop_ro("n_bytes", &Matrix::size)
      .def("allocate", &Matrix::allocate)
      .def("place",
           [](Matrix& self, std::int64_t first_row, const Bytes& rows) {
             const auto bytes = flat(rows);
             const nb::gil_scoped_release released;
             self.place(first_row, bytes);
           })
      .def("rows_in_place",
           [](nb::handle self) {
             const auto rows = nb::cast<Matrix&>(self).rows_in_place();
             return nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>(rows.data(), {rows.size()}, self);
           })
      .def("map", [](Matrix& self, const Bytes& data) { self.map(flat(data)); }, nb::keep_alive<1, 2>());

  nb::class_<FeedForwardParams>(m, "FeedForwardParams")
      .def(
          "__init__",
          [](FeedForwardParams* self, int n_expert, int top_k, std::int64_t n_ff, const std::string& activation,
             bool fused, bool per_expert) {
            new (self) FeedForwardParams(feed_forward_params(n_expert, top_k, n_ff, activation, fused, per_expert));
          },
          nb::arg("n_expert"), nb::arg("top_k"), nb::arg("n_ff"), nb::arg("activation"), nb::arg("fused"),
          nb::arg("per_expert"));

  nb::class_<Context>(m, "Context")
      .def(nb::init<const std::string&, std::int64_t, std::int64_t, std::int64_t, int,
                    const std::vector<std::int64_t>&>(),
           nb::arg("kernels"), nb::arg("ubatch"), nb::arg("n_ctx"), nb::arg("n_vocab"), nb::arg("n_threads"),
           nb::arg("buffers"))
      .def("add_cache", &Context::add_cache, nb::arg("n_head_kv"), nb::arg("head_dim"), nb::arg("head_dim_v"),
           nb::arg("window"), nb::arg("type_k") = "f16", nb::arg("type_v") = "f16")
      .def("add_rope", &Context::add_rope)
      .def("embed", &Context::embed, nb::kw_only(), nb::arg("table"), nb::arg("x"))
      .def("rms_norm", &Context::rms_norm, nb::kw_only(), nb::arg("norm"), nb::arg("eps"), nb::arg("x"), nb::arg("y"))
      .def("qkv", &Context::qkv, nb::kw_only(), nb::arg("projections"), nb::arg("q_norm").none(),
           nb::arg("k_norm").none(), nb::arg("slot"), nb::arg("n_head"), nb::arg("eps"), nb::arg("rope"),
           nb::arg("rope_table"), nb::arg("h"), nb::arg("q"))
      .def("attention", &Context::attention, nb::kw_only(), nb::arg("sinks").none(), nb::arg("slot"), nb::arg("n_head"),
           nb::arg("scale"), nb::arg("rounds"), nb::arg("q"), nb::arg("a"))
      .def("linear", &Context::linear, nb::kw_only(), nb::arg("weight"), nb::arg("bias").none(), nb::arg("x"),
           nb::arg("residual").none(), nb::arg("y"))
      .def("route", &Context::route, nb::kw_only(), nb::arg("router"), nb::arg("bias").none(), nb::arg("top_k"),
           nb::arg("gating"), nb::arg("renorm"), nb::arg("weight_scale"), nb::arg("h"))
      .def("moe_up_gate", &Context::moe_up_gate, nb::kw_only(), nb::arg("gate"), nb::arg("up").none(),
           nb::arg("gate_bias").none(), nb::arg("up_bias").none(), nb::arg("params"), nb::arg("h"), nb::arg("routing"),
           nb::arg("act"))
      .def("moe_down", &Context::moe_down, nb::kw_only(), nb::arg("down"), nb::arg("bias").none(), nb::arg("params"),
           nb::arg("act"), nb::arg("routing"), nb::arg("x").none(), nb::arg("y"))
      .def("ffn", &Context::ffn, nb::kw_only(), nb::arg("gate"), nb::arg("up").none(), nb::arg("down"),
           nb::arg("params"), nb::arg("h"), nb::arg("x").none(), nb::arg("y"))
      .def("ffn_up_gate", &Context::ffn_up_gate, nb::kw_only(), nb::arg("gate"), nb::arg("up").none(),
           nb::arg("params"), nb::arg("h"), nb::arg("y"))
      .def("act_from_outside", &Context::act_from_outside)
      .def("logits", &Context::logits, nb::kw_only(), nb::arg("output"), nb::arg("h"))
      .def("seal", &Context::seal)
      .def("run", &Context::run, nb::arg("ids"), nb::arg("position"), nb::arg("logits").none(),
           nb::arg("op_ns").none() = nb::none())
      .def("run_part", &Context::run_part, nb::arg("first"), nb::arg("last"), nb::arg("ids"), nb::arg("position"),
           nb::arg("logits").none())
      .def("counts", &Context::counts)
      .def("read", &Context::read)
      .def("write", &Context::write)
      .def("routed", &Context::routed)
      .def("read_act", &Context::read_act)
      .def("write_act", &Context::write_act);

  nb::class_<Contexts>(m, "Ensemble")
      .def(nb::init<const std::vector<Context*>&>(), nb::keep_alive<1, 2>())
      .def("keep_logits", &Contexts::keep_logits)
      .def("part", &Contexts::part, nb::arg("program"), nb::arg("all_tokens"), nb::arg("waits"), nb::arg("first"),
           nb::arg("last"))
      .def("gather", &Contexts::gather, nb::arg("program"), nb::arg("all_tokens"), nb::arg("waits"), nb::arg("inputs"),
           nb::arg("output"))
      .def("gather_acts", &Contexts::gather_acts, nb::arg("program"), nb::arg("all_tokens"), nb::arg("waits"),
           nb::arg("inputs"), nb::arg("output"), nb::arg("slots"))
      .def("reduce", &Contexts::reduce, nb::arg("program"), nb::arg("all_tokens"), nb::arg("waits"), nb::arg("inputs"),
           nb::arg("output"), nb::arg("wire"), nb::arg("residual"))
      .def("run", &Contexts::run, nb::arg("ids"), nb::arg("position"), nb::arg("logits").none());

  m.def("kernel_names", [] {
    std::vector<std::string> names;
    for (const Kernels* kernels : usable_kernels()) names.emplace_back(kernels->name);
    return names;
  });
  m.def("formats", [] {
    std::vector<std::string> names;
    for (const FormatInfo& format : formats()) names.emplace_back(format.name);
    return names;
  });
  m.def("packed_formats", [] {
    std::vector<std::string> names;
    for (const FormatInfo& format : formats()) {
      if (store_of(format) != Store::none) names.emplace_back(format.name);
    }
    return names;
  });
  m.def("usable_cores", &usable_cores);
}

}  // namespace
}  // namespace harness

NB_MODULE(_native, m) { harness::bind(m); }
