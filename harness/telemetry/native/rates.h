// How many multiply-accumulates per second the cores can issue from registers, by the instructions a kernel would use.
//
// maddubs+madd  one vpmaddubsw, one vpmaddwd, one vpaddd: int8 products that may need all of int32
// int16-summed  eight vpmaddubsw summed in int16 before one vpmaddwd: possible where the weights are small
// vnni          vpdpbusd
// f32 fma       vfmadd231ps
//
// Each kernel keeps twelve independent accumulators, enough for latency 6 at two per cycle.
#pragma once

namespace limits {

struct Rate {
  const char* name;  // "int8 maddubs+madd avx2"
  bool (*supported)();
  double (*macs)(long rounds);  // runs `rounds` rounds, returns how many multiply-accumulates that was
};

// Everything compiled in; ends with a row whose name is null.
extern const Rate kAvx2Rates[];
extern const Rate kAvx512Rates[];

// Multiply-accumulates per second of `n_threads` threads together over about `seconds`.
double rate(const Rate& kind, int n_threads, double seconds);

}  // namespace limits
