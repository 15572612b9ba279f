// Fuzzes what Python can reach of the CPU backend: weights of any extent, format and bytes, and programs of them.
//
//   fuzz SECONDS FIRST_CASE
//   fuzz overread | overflow      makes that mistake on purpose: proof that it would be caught
//
// A case is a number, printed when one is caught; `fuzz 0 NUMBER` runs it alone. Memory of weights that are mapped and
// of decoded rows comes from the heap, whose ends AddressSanitizer watches. std::invalid_argument is the one refusal.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "chance.h"
#include "ops/program.h"

namespace harness {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{4} << 20;

std::uint64_t current_case = 0;  // for the signal handler, which is told nothing

/// A weight and, where it is mapped, the memory it reads.
struct Held {
  std::shared_ptr<Matrix> matrix;
  std::vector<std::uint8_t> mapped;

  operator Weight() const { return matrix; }
};

const FormatInfo& some_format(Chance& chance) {
  const auto all = formats();
  return all[static_cast<std::size_t>(chance.between(0, static_cast<std::int64_t>(all.size()) - 1))];
}

/// Places bytes in pieces of any size, some of which do not fit.
void place(Chance& chance, Matrix& matrix) {
  const std::int64_t rows = matrix.experts() * matrix.rows();
  for (std::int64_t first = 0; first < rows;) {
    const std::int64_t n = chance.between(1, rows - first);
    matrix.place(first, chance.bytes(n * matrix.row_bytes()));
    first += n;
  }
  const auto wrong = chance.bytes(chance.between(0, 3 * matrix.row_bytes()));
  matrix.place(chance.hostile(chance.between(0, rows)), wrong);
}

/// A weight of that extent with its bytes, mapped, copied or packed; now and then with a lie about its size, or empty.
Held weight(Chance& chance, const FormatInfo& format, Extent extent) {
  for (std::int64_t* n : {&extent.experts, &extent.rows, &extent.columns}) *n = chance.hostile(*n);
  const std::int64_t columns = std::clamp<std::int64_t>(extent.columns, 0, 1 << 20);
  const bool packed = store_of(format) != Store::none && chance.one_in(2);
  Held held;
  held.matrix = std::make_shared<Matrix>(format, extent, chance.hostile(format.row_bytes(columns)), packed,
                                         packed && chance.one_in(2));
  if (held.matrix->size() > static_cast<std::size_t>(kMostBytes) || chance.one_in(50)) return held;
  if (packed || chance.one_in(3)) {
    held.matrix->allocate();
    try {
      place(chance, *held.matrix);
    } catch (const std::invalid_argument&) {  // the last piece was meant to be refused
    }
  } else {
    held.mapped = chance.bytes(chance.hostile(1) == 1 ? static_cast<std::int64_t>(held.matrix->size()) : 7);
    held.matrix->map(held.mapped);
  }
  return held;
}

void decode_rows(Chance& chance) {
  const FormatInfo& format = some_format(chance);
  const std::int64_t columns = format.block * chance.between(1, 9);
  const Extent extent{chance.between(1, 3), chance.between(1, 40), columns, 1};
  const Held held = weight(chance, format, extent);
  if (held.matrix->store() != Store::none || held.mapped.empty()) return;
  std::vector<float> out(static_cast<std::size_t>(held.matrix->columns()));
  for (std::int64_t expert = 0; expert < held.matrix->experts(); ++expert) {
    for (std::int64_t row = 0; row < held.matrix->rows(); ++row) held.matrix->decode_row(expert, row, out.data());
  }
}

/// Widths that every format of a part can have.
std::int64_t some_width(Chance& chance, std::initializer_list<const FormatInfo*> of) {
  int block = 1;
  for (const FormatInfo* format : of) block = std::max(block, format->block);
  return block == 1 ? chance.between(1, 70) : block * chance.between(1, block == 256 ? 2 : 6);
}

const Kernels& some_kernels(Chance& chance) {
  const auto usable = usable_kernels();
  return *usable[static_cast<std::size_t>(chance.between(0, static_cast<std::int64_t>(usable.size()) - 1))];
}

void run(Chance& chance, Program& program, std::int64_t n_vocab, std::int64_t n_ctx, bool logits) {
  program.seal();
  for (std::int64_t position = 0, times = chance.between(1, 3); times > 0; --times) {
    const std::int64_t n = std::min(program.ubatch(), std::max<std::int64_t>(1, n_ctx - position));
    std::vector<std::int32_t> ids(static_cast<std::size_t>(chance.hostile(chance.between(1, n)) & 0xff));
    for (auto& id : ids) id = static_cast<std::int32_t>(chance.hostile(chance.between(0, n_vocab - 1)));
    std::vector<float> out(logits ? ids.size() * static_cast<std::size_t>(n_vocab) : 0);
    const auto outputs = static_cast<std::int64_t>(logits ? ids.size() : 0);
    program.run(ids, chance.hostile(position), outputs, out.empty() ? nullptr : out.data());
    position += static_cast<std::int64_t>(ids.size());
  }
}

/// A token's row through attention, experts or a dense part, to logits: every weight in a format of its own.
void run_program(Chance& chance) {
  const FormatInfo& table = some_format(chance);
  const FormatInfo& in = some_format(chance);
  const FormatInfo& out = some_format(chance);
  const std::int64_t width = some_width(chance, {&table, &in, &out});
  const std::int64_t n_ff = some_width(chance, {&out}) / 32 * 32 + (out.block == 1 ? 32 : 0);
  const std::int64_t n_vocab = chance.between(2, 40);
  const std::int64_t n_ctx = chance.between(1, 300);
  const std::int64_t ubatch = chance.between(1, 40);
  const std::int64_t heads = chance.between(1, 3);
  const std::int64_t groups = chance.between(1, 2);
  const std::int64_t head_dim = out.block == 1 ? 2 * chance.between(1, 40) : out.block / 2 * 2;
  const int n_expert = static_cast<int>(chance.between(1, 5));
  const int top_k = static_cast<int>(chance.between(1, n_expert));
  const std::int64_t q_columns = heads * groups * head_dim;
  const FormatInfo& plain = *find_format("F32");

  Program program(some_kernels(chance),
                  {chance.hostile(ubatch), chance.hostile(n_ctx), n_vocab, static_cast<int>(chance.between(1, 2))},
                  std::vector<std::int64_t>{width, width, q_columns, q_columns, top_k * n_ff});
  const Value x = program.value(0, width);
  const Value h = program.value(1, width);
  std::vector<Held> kept;
  const auto made = [&](const FormatInfo& format, Extent extent) -> Weight {
    return kept.emplace_back(weight(chance, format, extent));
  };
  const Weight words = made(table, {1, n_vocab, width, 1});
  if (words->rows() < n_vocab) throw std::invalid_argument("as module.cpp refuses it");
  program.add<Embed>(program.workspace(), words, x);
  program.add<RmsNorm>(program.workspace(), made(plain, {1, 1, width, 1}), 1e-5F, x, h);
  if (chance.one_in(2)) {
    const int window = static_cast<int>(chance.hostile(chance.between(0, 20)) & 0xffff);
    KvCache& cache = program.add_cache(chance.hostile(heads), static_cast<int>(head_dim), static_cast<int>(head_dim),
                                       window, chance.of<KvType>({KvType::f16, KvType::q8_0}),
                                       chance.of<KvType>({KvType::f16, KvType::q8_0}));
    const std::vector<float> angles(static_cast<std::size_t>(n_ctx * (head_dim / 2)), 0.5F);
    program.add_rope(angles, angles, chance.hostile(head_dim / 2));
    const QkvParams params{static_cast<int>(heads * groups), 1e-5F, chance.of<Rope>({Rope::neox, Rope::norm}),
                           program.rope(0)};
    std::vector<Projection> projections{{made(in, {1, q_columns + 2 * heads * head_dim, width, 1}), {}}};
    const Value q = program.value(2, q_columns);
    const Value a = program.value(3, q_columns);
    program.add<Qkv>(program.workspace(), std::move(projections), Weight{}, Weight{}, params, cache, h, q);
    program.add<Attention>(program.workspace(), Weight{}, static_cast<int>(heads * groups), 0.1F, chance.one_in(2), cache, q, a);
    program.add<Linear>(program.workspace(), made(out, {1, width, q_columns, 1}), Weight{}, a, x, x);
  }
  const bool merged = chance.one_in(2);
  const FeedForwardParams params{
      n_expert,         top_k,           n_ff, chance.of<Activation>({Activation::swiglu, Activation::swiglu_oai}),
      chance.one_in(2), chance.one_in(2)};
  const auto gate_up = [&](std::int64_t experts) {
    if (merged) return GateUp{made(in, {experts, 2 * n_ff, width, 2}), {}, {}, {}};
    const Weight gate = made(in, {experts, n_ff, width, 1});
    return GateUp{gate, made(in, {experts, n_ff, width, 1}), {}, {}};
  };
  if (chance.one_in(2)) {
    const RouteParams route{n_expert, top_k,
                            chance.of<Gating>({Gating::softmax, Gating::sigmoid, Gating::softmax_topk}),
                            chance.one_in(2), 1.0F};
    auto& counts = program.add_counts(n_expert);
    Routing& routing = program.add_routing();
    program.add<Route>(program.workspace(), made(plain, {1, n_expert, width, 1}), Weight{}, route, counts.data(), h,
                       routing);
    Act& act = program.add_act(4, top_k * n_ff);
    program.add<MoeUpGate>(program.workspace(), gate_up(n_expert), params, h, routing, act);
    program.add<MoeDown>(program.workspace(), made(out, {n_expert, width, n_ff, 1}), Weight{}, params, act, routing, x,
                         x);
  } else {
    const FeedForwardParams dense{1, 1, n_ff, params.activation, params.fused, params.per_expert};
    program.add<Ffn>(program.workspace(), gate_up(1), made(out, {1, width, n_ff, 1}), dense, h, x, x);
  }
  const bool logits = chance.one_in(2);
  if (logits) {
    const Weight output = made(in, {1, n_vocab, width, 1});
    if (output->rows() != n_vocab) throw std::invalid_argument("as module.cpp refuses it");
    program.add<Logits>(program.workspace(), output, x);
  }
  run(chance, program, n_vocab, n_ctx, logits);
}

/// Whether the case was refused.
bool run_case(std::uint64_t number) {
  current_case = number;
  Chance chance(number);
  try {
    chance.one_in(3) ? decode_rows(chance) : run_program(chance);
  } catch (const std::invalid_argument&) {
    return true;
  } catch (const std::bad_alloc&) {  // an extent that could be, of memory that is not
    return true;
  }
  return false;
}

/// A row that is not there, or a sum that does not fit, out of sight of the compiler.
int mistake(const std::string& what) {
  Chance chance(0);
  const FormatInfo& format = *find_format("Q8_0");
  Matrix matrix(format, {1, 2, 32, 1}, format.row_bytes(32));
  const std::vector<std::uint8_t> bytes = chance.bytes(2 * format.row_bytes(32));
  matrix.map(bytes);
  float out[32];
  matrix.decode_row(0, what == "overread" ? 2 : 0, out);
  const auto most = static_cast<std::int32_t>(chance.between(INT32_MAX, INT32_MAX));
  return what == "overflow" ? most + static_cast<int>(chance.between(1, 1)) : out[0] > 0.0F ? 1 : 0;
}

}  // namespace
}  // namespace harness

// Both sanitizers end in one place.
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  std::signal(SIGABRT, [](int) {
    std::fprintf(stderr, "caught by case %llu\n", static_cast<unsigned long long>(harness::current_case));
    std::_Exit(1);
  });
  const std::string what = argc > 1 ? argv[1] : "5";
  if (what == "overread" || what == "overflow") return harness::mistake(what);
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const auto end = Clock::now() + std::chrono::duration<double>(std::atof(what.c_str()));
  std::uint64_t n = 0;
  std::uint64_t refused = 0;
  do {
    refused += harness::run_case(first + n++) ? 1 : 0;
  } while (Clock::now() < end);
  std::printf("%llu cases, %llu refused\n", static_cast<unsigned long long>(n),
              static_cast<unsigned long long>(refused));
  return 0;
}
