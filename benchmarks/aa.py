"""Whether verdicts on this machine are right: `python benchmarks/aa.py WHAT [--runs N]`, on a quiet machine.

same      a variant of configs/smoke.yaml meets itself: SAME is right, FASTER and SLOWER are wrong. 20 runs, 8 minutes.
planted   the same with one side of the real engine 5 % slower, see planted/sitecustomize.py. 20 runs, 8 minutes.
fake      the fake engine with 0.5 % of noise, 5 % planted by its script. 20 runs, 2 minutes.
busy      a longer run beside which a stranger burns a core now and then: its rounds are marked and retaken. 2 minutes.

A run's verdict is that on all its rows together, each row with a mean of its own; rows are counted beside it.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from stranger import stranger

from harness.config import expand, load_config
from harness.config.types import Expansion
from harness.records.record import Record
from harness.report.speeds import same_rounds
from harness.runner.ab import execute_ab
from harness.runner.noise import against_itself, twins
from harness.runner.progress import Silent
from harness.stats.paired import PairedResult, compare
from harness.stats.strata import compare_strata

HERE = Path(__file__).parent
SMOKE = HERE.parent / "configs" / "smoke.yaml"
SHARE = 0.05
FAKE = f"""
name: planted-fake
models: {{nothing: {{gguf: none.gguf}}}}
matrix: {{engine: fake, device: "cpu:0", merge_up_gate: [off, on]}}
tests: [{{pp: 64}}, {{tg: 8}}]
fake: {{noise: 0.005, seed: SEED, effects: [{{axis: merge_up_gate, value: on, factor: {1 + SHARE}}}]}}
"""
BUSY_S = 4
Pairs = tuple[list[int], list[int], list[int]]
"""Times of both sides, and which pair of processes took them."""


def smoke(*settings: str) -> Expansion:
    made = expand(load_config(SMOKE, settings))
    return replace(made, cases=against_itself(made.cases))


def fake(seed: int) -> Expansion:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fake.yaml"
        path.write_text(FAKE.replace("SEED", str(seed)))
        return expand(load_config(path))


def measure(expansion: Expansion) -> tuple[Record, ...]:
    with tempfile.TemporaryDirectory(prefix="harness-aa-") as folder:
        outcome = execute_ab(expansion, Path(folder), ("benchmarks/aa.py",), Silent())
    bad = [record for record in outcome.records if record.status != "ok"]
    if outcome.interrupted or bad:
        sys.exit(f"stopped: {bad[0].error if bad else 'interrupted'}")
    return outcome.records


def sides(records: tuple[Record, ...]) -> tuple[tuple[Record, Record], ...]:
    """Both records of every comparison."""
    return twins(records) or tuple(zip(records[::2], records[1::2], strict=True))


def pairs(records: tuple[Record, ...]) -> list[Pairs]:
    """Per row: the times of the rounds that count."""
    found = []
    for one, other in sides(records):
        for a, b in zip(one.rows, other.rows, strict=True):
            well = same_rounds(a, b)
            if len(well) > 1:
                found.append(
                    ([x.total_ns for x, _ in well], [y.total_ns for _, y in well], [x.process for x, _ in well])
                )
    return found


def whole(rows: list[Pairs]) -> PairedResult:
    """What a run says."""
    return compare_strata([(a, b) for a, b, _ in rows], [processes for *_, processes in rows])


def told(rows: list[Pairs]) -> str:
    """The verdict on a run."""
    return whole(rows).verdict if rows else "CANNOT TELL"


def tally(title: str, expansions: list[Expansion]) -> None:
    runs: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    ratios, begin = [], time.monotonic()
    for number, expansion in enumerate(expansions, 1):
        found = pairs(measure(expansion))
        runs[told(found)] += 1
        rows.update(compare(*row).verdict for row in found)
        if found:
            result = whole(found)
            ratios.append(result.ratio)
            said = f"{result.ratio:.4f} [{result.low:.4f}, {result.high:.4f}], {result.n_processes} processes a side"
            print(f"run {number}: {result.verdict}, {said}, {result.n_pairs} pairs", file=sys.stderr, flush=True)
    took = (time.monotonic() - begin) / 60
    verdicts = ("SAME", "FASTER", "SLOWER", "CANNOT TELL")
    spread = f"{min(ratios):.4f} to {max(ratios):.4f}" if ratios else "-"
    print("| what | runs | " + " | ".join(verdicts) + " | ratios | minutes |")
    print("| --- | --: | " + " | ".join("--:" for _ in verdicts) + " | --: | --: |")
    for what, counts in (("runs", runs), ("rows", rows)):
        cells = " | ".join(str(counts[verdict]) for verdict in verdicts)
        print(f"| {title}, {what} | {counts.total()} | {cells} | {spread} | {took:.1f} |")


def busy() -> None:
    """Strangers come and go; what they disturbed must be marked, retaken, and out of the verdict."""
    stop = threading.Event()
    took: list[float] = []

    def strangers() -> None:
        while not stop.wait(BUSY_S):
            began = time.monotonic()
            with stranger():
                stop.wait(BUSY_S)
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=strangers, daemon=True)
    thread.start()
    records = measure(smoke("time_budget='60 s'", "precision=0.1 %", "samples={max: 1000}"))
    stop.set()
    thread.join()
    samples = [sample for record in records for row in record.rows for sample in row.samples]
    states = Counter(sample.state for sample in samples)
    why = next((sample.disturbed_by for sample in samples if sample.disturbed_by), "-")
    print("| busy seconds | samples | ok | contended | verdict on the rest | such as |")
    print("| --: | --: | --: | --: | --- | --- |")
    cells = (f"{sum(took):.0f}", len(samples), states["ok"], states["contended"], told(pairs(records)), why)
    print(f"| {' | '.join(map(str, cells))} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("same", "planted", "fake", "busy"))
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    match arguments.what:
        case "same":
            tally("smoke against itself", [smoke()] * arguments.runs)
        case "planted":
            os.environ |= {"PYTHONPATH": str(HERE / "planted"), "HARNESS_PLANTED": str(SHARE)}
            tally("5 % planted in the core", [smoke()] * arguments.runs)
        case "fake":
            tally("5 % planted in the fake", [fake(seed) for seed in range(arguments.runs)])
        case "busy":
            busy()


if __name__ == "__main__":
    main()
