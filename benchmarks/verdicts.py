"""How often the verdict of a paired comparison is right, by simulation: `python benchmarks/verdicts.py`. Half a minute.

First table: a fixed number of pairs. Second: rules for when to stop, on a thing compared with itself and on 1 % slower.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from harness.stats.paired import compare, precise_enough

RUNS = 1000
MOST = 40
FLOOR_NS = 10**9
DEVIATIONS = (0.005, 0.0075, 0.01, 0.02)

Logs = np.ndarray
Stop = Callable[[Logs], int]


def verdict(logs: Logs) -> str:
    """Of pairs whose log ratios are `logs`."""
    return compare(*sides(logs)).verdict


def sides(logs: Logs) -> tuple[list[int], list[int]]:
    return (FLOOR_NS * np.exp(logs)).astype(np.int64).tolist(), [FLOOR_NS] * len(logs)


def fixed(n_pairs: int) -> Stop:
    return lambda _logs: n_pairs


def at_first_verdict(first: int) -> Stop:
    return lambda logs: next((n for n in range(first, MOST) if verdict(logs[:n]) != "CANNOT TELL"), MOST)


def at_precision(first: int) -> Stop:
    return lambda logs: next((n for n in range(first, MOST) if precise_enough(*sides(logs[:n]))), MOST)


def as_planned_after(first: int) -> Stop:
    return lambda logs: max(first, min(MOST, compare(*sides(logs[:first])).needed))


def simulate(stop: Stop, effect: float, sd: float) -> tuple[Counter[str], float]:
    """Verdicts of RUNS comparisons, and the mean number of pairs taken."""
    rng = np.random.default_rng(1137)
    found: Counter[str] = Counter()
    taken = 0
    for logs in rng.normal(effect, sd, (RUNS, MOST)):
        n = stop(logs)
        taken += n
        found[verdict(logs[:n])] += 1
    return found, taken / RUNS


def table(title: str, rules: Iterable[tuple[str, Stop]]) -> None:
    print(f"\n| {title} | pair deviation | alarms in A/A | SAME in A/A | -1 % found | mean pairs |")
    print("| --- | --: | --: | --: | --: | --: |")
    for name, stop in rules:
        for sd in DEVIATIONS:
            same, pairs = simulate(stop, 0.0, sd)
            slower, _ = simulate(stop, float(np.log1p(-0.01)), sd)
            alarms = (same["FASTER"] + same["SLOWER"]) / RUNS
            cells = (f"{100 * sd:g} %", f"{alarms:.1%}", f"{same['SAME'] / RUNS:.0%}", f"{slower['SLOWER'] / RUNS:.0%}")
            print(f"| {name} | {' | '.join(cells)} | {pairs:.1f} |", flush=True)


if __name__ == "__main__":
    table("pairs", [(str(n), fixed(n)) for n in (5, 10, 20, 40)])
    rules = (("first verdict from 5", at_first_verdict(5)), ("as planned after 8", as_planned_after(8)))
    table("stop", [*rules, ("precision from 6", at_precision(6))])
