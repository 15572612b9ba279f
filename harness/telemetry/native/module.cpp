// harness.telemetry._limits: what the machine can do at most. Everything here runs at full load; call it on a quiet
// machine.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "bandwidth.h"
#include "clock.h"
#include "rates.h"
#include "team.h"

namespace nb = nanobind;

namespace {

const std::vector<size_t> kDistances{0, 512, 2048, 4096, 6656, 10240};  // of prefetches; 0: none

// Bytes per second, the best of `passes` passes over each prefetch distance; 0 where such pages cannot be had.
double read_bandwidth(int n_threads, size_t bytes, bool huge, int passes) {
  const limits::Pages pages(bytes, huge);
  if (!pages.ok()) return 0;
  double best = 0;
  for (const size_t ahead : kDistances) {
    for (int pass = 0; pass < passes; ++pass) best = std::max(best, limits::read_rate(pages, n_threads, ahead));
  }
  return best;
}

// (name, multiply-accumulates per second) of everything this processor supports, the best of `passes`.
std::vector<std::pair<std::string, double>> multiply_rates(int n_threads, double seconds, int passes) {
  std::vector<std::pair<std::string, double>> found;
#if defined(__x86_64__)
  for (const limits::Rate* table : {limits::kAvx2Rates, limits::kAvx512Rates}) {
    for (const limits::Rate* kind = table; kind->name != nullptr; ++kind) {
      if (!kind->supported()) continue;
      double best = 0;
      for (int pass = 0; pass < passes; ++pass) best = std::max(best, limits::rate(*kind, n_threads, seconds));
      found.emplace_back(kind->name, best);
    }
  }
#endif
  return found;
}

// Hertz, the best of three; 0 where it cannot be told.
double core_clock(long additions) {
#if defined(__x86_64__)
  double best = 0;
  for (int pass = 0; pass < 3; ++pass) best = std::max(best, limits::core_clock_hz(additions));
  return best;
#else
  return 0;
#endif
}

}  // namespace

NB_MODULE(_limits, m) {
  m.def("read_bandwidth", &read_bandwidth, nb::arg("n_threads"), nb::arg("bytes"), nb::arg("huge"), nb::arg("passes"),
        nb::call_guard<nb::gil_scoped_release>());
  m.attr("DISTANCES") = kDistances;
  nb::class_<limits::Pages>(m, "Pages")
      .def(nb::init<size_t, bool>(), nb::arg("bytes"), nb::arg("huge"))
      .def("ok", &limits::Pages::ok)
      .def("read_rate", &limits::read_rate, nb::arg("n_threads"), nb::arg("ahead_bytes"),
           nb::call_guard<nb::gil_scoped_release>());
  m.def("multiply_rates", &multiply_rates, nb::arg("n_threads"), nb::arg("seconds"), nb::arg("passes"),
        nb::call_guard<nb::gil_scoped_release>());
  m.def("core_clock", &core_clock, nb::arg("additions"), nb::call_guard<nb::gil_scoped_release>());
  m.def("usable_cores", &limits::usable_cores);
}
