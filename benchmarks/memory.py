"""How much of what memory gives token generation takes, operation by operation.

Memory's limit and the engine take turns in one process, since on a virtual machine both move with where its cores lie:
a read of a buffer beyond the caches, some tokens, a read, the same tokens with every operation timed, a read. A round
lasts a fifth of a second, less than such a state; shares are paired by round, and their intervals are 95 %. A read does
nothing else, and asks for memory as far ahead as paid best before the first round.

    python benchmarks/memory.py --only 'gpt-oss*engine=core*tg*' --set 'tests=[{tg: 8}]'
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import harmonic_mean, median

import numpy as np
from asked import cases, cases_parser

from harness.engines.core import CoreEngine
from harness.engines.stream import token_stream
from harness.records.case import Case
from harness.runner.prepare import with_file
from harness.stats.interval import mean_interval
from harness.telemetry import _limits  # type: ignore[attr-defined]  # built, not typed
from harness.telemetry.limits import buffer_bytes

WARM = 2
TRIES = 9
LEAST_SHARE = 0.01
"""Of a token's bytes; operations that move less are left to `all others`."""
WHOLE = "tokens, not timed inside"
REST = "all others"


@dataclass(frozen=True)
class Round:
    """What memory gave on average, and by operation how long it took and what it moved; `WHOLE` is among them."""

    limit: float
    ns: Mapping[str, int]
    n_bytes: Mapping[str, int]


def main() -> int:
    asked = cases_parser(__doc__, rounds=300).parse_args()
    for case in cases(asked, measured, "TG of the core"):
        n_threads = case.axes.threads or _limits.usable_cores()
        for depth in case.test.depths:
            print(f"\n**{case.model.label}, threads {n_threads}, tg{case.test.n_gen} @ d{depth}**\n")
            print(table(rounds(with_file(case), n_threads, depth, asked.rounds)), flush=True)
    return 0


def measured(case: Case) -> bool:
    return case.axes.engine == "core" and case.axes.device.startswith("cpu") and case.test.kind == "tg"


def rounds(case: Case, n_threads: int, depth: int, count: int) -> list[Round]:
    """Warm ones are left out."""
    engine = CoreEngine()
    report = engine.load(case)
    n_gen = case.test.n_gen
    tokens = token_stream(case, report.n_vocab, depth + n_gen)[depth:].tolist()
    per_token = engine.cost(0, n_gen, depth)[1]
    found = []
    read = reader(n_threads)
    for _ in range(WARM + count):
        limits = [read()]
        ns, n_bytes = Counter({WHOLE: engine.decode(tokens, depth).total_ns}), Counter({WHOLE: per_token * n_gen})
        limits.append(read())
        for op in engine.op_times(0, n_gen, depth):
            ns[op.name] += op.ns
            n_bytes[op.name] += round(op.bytes)
        limits.append(read())
        found.append(Round(harmonic_mean(limits), ns, n_bytes))
    engine.close()
    return found[WARM:]


def reader(n_threads: int) -> Callable[[], float]:
    """Bytes per second of one pass over a buffer on huge pages, with the prefetch that gives the most."""
    pages = _limits.Pages(buffer_bytes(), huge=True)
    if not pages.ok():
        raise SystemExit("This system gives no huge pages, on which weights lie.")
    tried = {ahead: median(pages.read_rate(n_threads, ahead) for _ in range(TRIES)) for ahead in _limits.DISTANCES}
    best = max(tried, key=tried.__getitem__)
    return lambda: float(pages.read_rate(n_threads, best))


def table(found: Sequence[Round]) -> str:
    """Markdown, the longest operation first."""
    total = found[0].n_bytes[WHOLE]
    large = [name for name, moved in found[0].n_bytes.items() if moved >= LEAST_SHARE * total]
    large.sort(key=lambda name: -sum(one.ns[name] for one in found))
    limits = np.array([one.limit for one in found]) / 1e9
    span = f"{limits.mean():.1f} GB/s [{limits.min():.1f} to {limits.max():.1f}]"
    lines = [
        f"A read of memory: {span} in {len(found)} rounds.\n",
        "| op | ms | GB/s | of the read |",
        "| --- | --: | --: | --- |",
    ]
    for name in large:
        speed = mean_interval([one.n_bytes[name] / one.ns[name] for one in found])
        share = mean_interval([math.log(one.n_bytes[name] / one.ns[name] * 1e9 / one.limit) for one in found])
        low, mean, high = (f"{math.exp(log):.0%}" for log in (share.low, share.mean, share.high))
        lines.append(f"| {name} | {milliseconds(found, (name,)):.1f} | {speed.mean:.1f} | {mean} [{low}, {high}] |")
    small = [name for name in found[0].ns if name not in large]
    lines.append(f"| {REST} | {milliseconds(found, small):.1f} | | |")
    return "\n".join(lines)


def milliseconds(found: Sequence[Round], names: Sequence[str]) -> float:
    return float(np.median([sum(one.ns[name] for name in names) for one in found])) / 1e6


if __name__ == "__main__":
    sys.exit(main())
