"""Records as a run would leave them, made from a few numbers: what every test of the report starts from."""

from dataclasses import asdict, replace
from random import Random
from zlib import crc32

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, StandIn, Test
from harness.records.record import Equivalence, Failure, Fingerprint, Limits, Record, RunInfo
from harness.records.timing import Contention, LoadReport, Row, Sample

RUN = "2026-03-05T21-14-08_gptoss-muge"
START_NS = 1_000_000_000_000
LIMITS = Limits(
    bandwidth={"ram_4k": 21.4e9, "ram_huge": 23.9e9},
    rate={"int8_madd": 1.61e11, "int8_i16": 2.02e11, "f32_fma": 8.3e10},
)
FINGERPRINT = Fingerprint(
    cpu_info="AMD EPYC 7763 64-Core Processor",
    gpu_info="",
    n_cores=2,
    memory_bytes=24 << 30,
    os="Debian GNU/Linux 12",
    kernel="6.1.0-28-amd64",
    governor="performance",
    compiler="g++ 12.2.0",
    python="3.11.7",
    simd="AVX2",
    device_class="EPYC-7763/2c/AVX2",
)
GPT_OSS = ModelRef("gpt-oss-20b", "models/gpt-oss-20b-4l.gguf", StandIn("gpt-oss-20b", layers=4, vocab=33514))
YAML = """\
# configs/gptoss.yaml
name: gptoss-muge
models:
  gpt-oss-20b:
    gguf: gpt-oss-20b-mxfp4.gguf
    stand_in: {preset: gpt-oss-20b}
matrix:
  device: auto
  merge_up_gate: [off, on]
  fused_moe: on
tests:
  - sweep: {pp: 512, tg: 32, n_kv: 0..4096/512}
  - pp: 512
  - tg: 32
"""
SWEEP = Test("sweep", 512, 32, tuple(range(0, 4097, 512)))
TESTS = (SWEEP, Test("pp", n_prompt=512), Test("tg", n_gen=32))


def sample(rng: Random, start_ns: int, n_tokens: int, rate: float, *, per_token: bool, state: str = "ok") -> Sample:
    """One repetition at about `rate` tokens/s."""
    total = round(n_tokens / (rate * rng.gauss(1, 0.004)) * 1e9)
    tokens = tuple(round(total / n_tokens * rng.gauss(1, 0.03)) for _ in range(n_tokens)) if per_token else ()
    busy = 0.31 if state == "contended" else rng.uniform(0, 0.02)
    contention = Contention(busy, busy / 3, 0, rng.randrange(4), rng.gauss(3240, 12))
    return Sample(start_ns, total, n_tokens, state, tokens, contention, None, "no RAPL counter is readable")


def row(rng: Random, work: tuple[int, int, int], rate: float, start_ns: int, n_samples: int = 6) -> Row:
    """A measurement of `work`, (n_prompt, n_gen, depth): a warm-up, then `n_samples`, one of which may be contended."""
    n_prompt, n_gen, depth = work
    n_tokens = n_prompt + n_gen
    states = ["warmup"] + ["contended" if rng.random() < 0.04 else "ok" for _ in range(n_samples)]
    step = round(n_tokens / rate * 2.2e9)
    samples = tuple(
        sample(rng, start_ns + i * step, n_tokens, rate * (0.93 if i == 0 else 1), per_token=not n_prompt, state=state)
        for i, state in enumerate(states)
    )
    macs = 3_610_000_000 if n_prompt else 3_640_000_000
    return Row(n_prompt, n_gen, depth, samples, "precision", macs, 1_980_000_000 if n_gen else None)


def rows_of(rng: Random, test: Test, gain: float, start_ns: int) -> tuple[Row, ...]:
    """The rows of a test; `gain` multiplies the prompt rate."""
    rows = []
    for depth in test.depths:
        slow = 1 / (1 + depth / 9000)
        if test.n_gen:
            rows.append(row(rng, (0, test.n_gen, depth), 9.31 * slow**0.7 * (1 + (gain - 1) / 50), start_ns))
        if test.n_prompt:
            rows.append(row(rng, (test.n_prompt, 0, depth), 41.7 * slow * gain, start_ns))
    return tuple(rows)


def load_report(axes: Axes, n_layers: int = 4) -> LoadReport:
    """What loading tells, with one layer that could not be merged."""
    last, others = n_layers - 1, list(range(n_layers - 1))
    merges = [
        {"kind": "up_gate", "done": True, "reason": "", "layers": others},
        {"kind": "up_gate", "done": False, "reason": "up and gate are on different devices", "layers": [last]},
    ]
    if not axes.merge_up_gate:
        merges = [{"kind": "up_gate", "done": False, "reason": "merge_up_gate is off", "layers": [*others, last]}]
    phases = {
        "open": 310_000,
        "metadata": 41_000_000,
        "plan": 2_100_000,
        "read": 1_730_000_000,
        "place": 655_000_000 + (9_000_000 if axes.merge_up_gate else 0),
        "first_token": 148_000_000,
    }
    plan = {"merges": merges, "bytes": 2_413_000_000, "macs_per_token": 3_640_000_000}
    return LoadReport(
        phases, "gpt-oss ?B MXFP4", 2_413_000_000, 3_580_000_000, n_layers, 33514, plan, ("cpu:0",), "0.1.0"
    )


def record(
    test: Test = SWEEP, axes: Axes | None = None, *, gain: float = 1.0, seed: int = 0, model: ModelRef = GPT_OSS
) -> Record:
    """One case's record with every field filled."""
    axes = axes or Axes()
    rng = Random(f"{seed}{_chosen(axes)}{test}")
    case_id = f"{model.name}-{test.label}-{'on' if axes.merge_up_gate else 'off'}-{'f' if axes.fused_moe else 'u'}"
    load = load_report(axes)
    total = sum(load.phase_ns.values())
    experts = tuple(tuple(round(512 * 4 / 32 * rng.lognormvariate(0, 0.4)) for _ in range(32)) for _ in range(4))
    return Record(
        case=Case(
            case_id,
            "gptoss-muge",
            model,
            axes,
            test,
            Sampling(),
            comparison=_comparison(model, test, axes),
        ),
        status="ok",
        run=RUN,
        test_time="2026-03-05T21:14:08Z",
        rows=rows_of(rng, test, gain, START_NS + (7_000_000 if axes.merge_up_gate else 0)),
        load=load,
        load_ns=tuple(round(total * rng.gauss(1, 0.01)) for _ in range(3)),
        ttft_ns=round(512 / 41.7 / gain * 1e9),
        rss_peak_bytes=2_713_000_000,
        expert_counts=experts,
        equivalence=Equivalence("identical", "merge_up_gate off", 0.0, 0.0, 1.0)
        if axes.merge_up_gate
        else Equivalence(),
        limits=LIMITS,
        fingerprint=FINGERPRINT,
        harness_commit="4be91c2f00aa",
        build_commit="4be91c2f00aa",
    )


def _chosen(axes: Axes) -> dict[str, object]:
    """What is not at its default, so that a new axis changes no made number."""
    default = asdict(Axes())
    return {name: value for name, value in asdict(axes).items() if value != default[name]}


def _comparison(model: ModelRef, test: Test, axes: Axes) -> str:
    """Shared by the cases that differ in the merge alone."""
    return f"{crc32(f'{model}{test}{replace(axes, merge_up_gate=False)}'.encode()):08x}"


def pair(gain: float = 1.096, tests: tuple[Test, ...] = TESTS, **options: object) -> tuple[Record, ...]:
    """A run without and with the merge, as `configs/gptoss.yaml` gives it."""
    return tuple(
        record(test, Axes(merge_up_gate=merge), gain=gain if merge else 1.0, **options)  # type: ignore[arg-type]
        for test in tests
        for merge in (False, True)
    )


def four_cells(merge: float = 1.07, fuse: float = 1.04, tests: tuple[Test, ...] = TESTS) -> tuple[Record, ...]:
    """The whole of merge × fuse."""
    return tuple(
        record(test, Axes(merge_up_gate=m, fused_moe=f), gain=(merge if m else 1) * (fuse if f else 1))
        for test in tests
        for f in (False, True)
        for m in (False, True)
    )


def failed(of: Record, status: str = "crashed", message: str = "the worker was killed by signal 11") -> Record:
    """The record of a case that gave no result."""
    failure = Failure("WorkerDied", message, "prefill", "Segmentation fault\n  at moe_up_gate")
    return replace(of, status=status, rows=(), load=None, load_ns=(), ttft_ns=None, error=failure)  # type: ignore[arg-type]


def invalid(of: Record) -> Record:
    """The record of a case that was fast and wrong."""
    wrong = Equivalence(
        "INVALID", "merge_up_gate off", 3.2, 0.41, 0.62, "the second context permutes the weights again"
    )
    return replace(of, equivalence=wrong)


def imported(of: Record, source: str = "llama-bench.json") -> Record:
    """A record that came from another tool."""
    return replace(of, imported_from=source)


def info(records: tuple[Record, ...], config_text: str = YAML) -> RunInfo:
    """The run.json that goes with records."""
    return RunInfo(
        run=RUN,
        config_name="gptoss-muge",
        config_text=config_text,
        command=("harness", "run", "configs/gptoss.yaml"),
        started="2026-03-05T21:14:08Z",
        cases=tuple(record.case for record in records),
        notes=(("matrix.device", "no usable GPU: cpu:0 is used"), ("when", "4 layers and shorter sweeps on a CPU")),
        harness_commit="4be91c2f00aa",
        fingerprint=FINGERPRINT,
        limits=LIMITS,
    )
