"""The gate on real runs: nights of a config on this machine, their dates made up, and the same nights with a slowdown.

Every night is a real run. The first nights are the baseline; after each of the others all its cases really run again
in fresh sessions. Then each is judged by the nights before it, as it is and with one case slower by a planted factor,
re-runs included, case by case in turn. (The gate itself would measure its suspects and some company; here all is
there, so that both judgements rest on the same sessions.) Stopped, it goes on where it was.

    python benchmarks/gate_nights.py --results nights --config configs/smoke.yaml

Exits with 0 if at most one of the unchanged nights alarmed and at most one planted slowdown was missed. A quiet machine
is part of the claim: with other work on the cores the gate says CANNOT TELL, which counts as missed.
"""

import argparse
import json
import math
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from harness.cli.evidence import Evidence, gather, machine, reruns, suite
from harness.config import Expansion, expand, load_config
from harness.records.case import Case, Note
from harness.runner.progress import Silent
from harness.runner.run import execute
from harness.stats.gate import Judgement, Rules, again, baselines, judge
from harness.stats.nights import Fresh, SeriesNights
from harness.stats.weather import cleared
from harness.store.commits import Repository
from harness.store.index import FILE, open_index
from harness.store.runs import INFO, RERUN_NOTE

FIRST = date(2026, 1, 1)


@dataclass(frozen=True)
class Asked:
    """The command line."""

    config: Path
    overrides: tuple[str, ...]
    results: Path
    baseline: int
    nights: int
    planted: float
    reruns: int


def main() -> int:
    asked = parsed()
    asked.results.mkdir(parents=True, exist_ok=True)
    expansion = expand(load_config(asked.config, asked.overrides))
    measure(asked, expansion)
    lines = []
    for line in judgements(asked, expansion.cases):
        print(json.dumps(line), flush=True)
        lines.append(line)
    return summary(asked, lines)


def measure(asked: Asked, expansion: Expansion) -> None:
    """The nights that are not there yet, and what is missing of their fresh sessions."""
    for night in range(asked.baseline + asked.nights):
        there = nights_of(asked.results)
        run = there[night] if night < len(there) else session(asked.results, expansion, night, hour=2)
        done = sum(rerun_of(info.parent) == run.name for info in asked.results.glob(f"*/{INFO}"))
        note = Note(RERUN_NOTE, run.name)
        fresh = replace(expansion, name=f"{expansion.name}-again", notes=(note,))
        for _ in range(done, asked.reruns if night >= asked.baseline else 0):
            session(asked.results, fresh, night, hour=4)
        print(f"night {night + 1}: {run.name}", file=sys.stderr, flush=True)


def parsed() -> Asked:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/smoke.yaml"))
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="path=value, as for harness run")
    parser.add_argument("--results", type=Path, required=True, help="its own folder, kept between calls")
    parser.add_argument("--baseline", type=int, default=10, help="nights before the first that is judged")
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--planted", type=float, default=0.05, help="slowdown planted in one case")
    parser.add_argument("--reruns", type=int, default=5)
    asked = vars(parser.parse_args())
    return Asked(**{**asked, "overrides": tuple(asked["overrides"])})


def nights_of(results: Path) -> list[Path]:
    """The finished nights, oldest first; re-runs are none."""
    found = [path.parent for path in results.glob(f"*/{INFO}")]
    return sorted((p for p in found if not rerun_of(p)), key=lambda p: str(info_of(p)["started"]))


def info_of(run: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((run / INFO).read_text())
    return content


def rerun_of(run: Path) -> str:
    notes = info_of(run)["notes"]
    return next((text for name, text in notes if name == RERUN_NOTE), "") if isinstance(notes, list) else ""


def session(results: Path, expansion: Expansion, night: int, hour: int) -> Path:
    """A real run, dated to the made-up night."""
    run = execute(expansion, results, None, ("harness", "run"), Silent()).run_dir
    dated(run, night, hour)
    return run


def dated(run: Path, night: int, hour: int) -> None:
    content = info_of(run)
    content["started"] = f"{FIRST + timedelta(days=night)}T{hour:02}:00:00+00:00"
    (run / INFO).write_text(json.dumps(content))


def judgements(asked: Asked, cases: Sequence[Case]) -> Iterator[dict[str, object]]:
    """What the gate says of every night after the baseline."""
    rules, nowhere, slowdown = Rules(reruns=asked.reruns), Repository(asked.results), math.log1p(asked.planted)
    index = open_index(asked.results / FILE)
    try:
        index.sync(asked.results)
        for night, run in enumerate(nights_of(asked.results)[asked.baseline :]):
            evidence, case = gather(index, asked.results, nowhere, run.name), cases[night % len(cases)]
            slowed = {t.key.series_id for t in evidence.tracks if t.tonight.case_id == case.case_id}
            as_it_is, fresh, limits = suite(evidence), reruns(evidence), machine(evidence)
            slower = slow_down(as_it_is, slowed, slowdown), slow_down_fresh(fresh, slowed, slowdown)
            yield {
                "night": asked.baseline + night + 1,
                "run": run.name,
                **spreads(as_it_is, rules),
                **told(evidence, again(as_it_is, rules).suspects, judge(as_it_is, fresh, rules, limits)),
                "planted": {
                    "case": case.test.label,
                    "series": len(slowed),
                    **told(evidence, again(slower[0], rules).suspects, judge(*slower, rules, limits), slowed),
                },
            }
    finally:
        index.close()


def slow_down(tonight: Sequence[SeriesNights], slowed: Collection[str], by: float) -> tuple[SeriesNights, ...]:
    """All times of some series multiplied by exp(`by`): their speeds' logarithms are less by that."""
    return tuple(replace(s, tonight=s.tonight - by) if s.series_id in slowed else s for s in tonight)


def slow_down_fresh(fresh: Fresh, slowed: Collection[str], by: float) -> Fresh:
    return {
        name: {session: value - by * (name in slowed) for session, value in values.items()}
        for name, values in fresh.items()
    }


def spreads(nights: Sequence[SeriesNights], rules: Rules) -> dict[str, object]:
    """How far nights differ: the weather's tonight and its deviation, and what is left of the series without it."""
    clear = cleared(nights, {})
    left = sorted(base.sd for base in baselines(clear.suite, rules) if base is not None)
    weather = [base.sd for base in baselines(clear.weather, rules) if base is not None]
    return {
        "weather": round(clear.weather[0].tonight, 5) if clear.weather else None,
        "weather_sd": round(weather[0], 5) if weather else None,
        "median_sd": round(left[len(left) // 2], 5) if left else None,
    }


def told(
    evidence: Evidence, suspects: Sequence[str], found: Sequence[Judgement], slowed: Collection[str] = ()
) -> dict[str, object]:
    """The verdicts in short; `found` says whether an alarm was for one of `slowed`."""
    names = {track.key.series_id: track.name for track in evidence.tracks}
    slower = [judgement for judgement in found if judgement.outcome == "SLOWER"]
    return {
        "suspects": len(suspects),
        "found": any(judgement.series_id in slowed for judgement in slower),
        "slower": {names[judgement.series_id]: round(judgement.ratio or 0, 4) for judgement in slower},
        "cannot_tell": sum(judgement.outcome == "CANNOT TELL" for judgement in found),
    }


def summary(asked: Asked, lines: Sequence[dict[str, Any]]) -> int:
    alarms = sum(bool(line["slower"]) for line in lines)
    found = sum(line["planted"]["found"] for line in lines)
    unsure = sum(bool(line["cannot_tell"]) for line in lines)
    print(f"{len(lines)} unchanged nights: {alarms} alarmed, {unsure} with something that could not be told")
    print(f"{len(lines)} nights with one case {asked.planted:.0%} slower: {found} found")
    for name, what in (("weather_sd", "the weather"), ("median_sd", "the median series without the weather")):
        known = [line[name] for line in lines if line[name]]
        if known:
            print(f"standard deviation between nights of {what}: {sum(known) / len(known):.2%}")
    return int(alarms > 1 or found < len(lines) - 1)


if __name__ == "__main__":
    sys.exit(main())
