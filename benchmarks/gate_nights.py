"""The gate on real runs: nights of a config on this machine, their dates made up, and the same nights with a slowdown.

Every night is a real run. The first nights are the baseline; each of the others is judged by the nights before it, as
it is and with one case slower by a planted factor, case by case in turn. What either judgement suspects really takes
turns with the baseline's build, as `harness gate --baseline-build` has it: the build is this one, as no code changed,
and a planted slowdown is in tonight's half of the pairs. The same nights are also judged without those pairs, mostly
by their first sessions. Stopped, it goes on where it was.

    python benchmarks/gate_nights.py --results nights --config configs/smoke.yaml

Exits with 0 if at most one of the unchanged nights alarmed and at most one planted slowdown was missed. A quiet machine
is part of the claim: with other work on the cores the gate says CANNOT TELL, which counts as missed.
"""

import json
import math
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from asked import config_parser

from harness.cli.evidence import Evidence, gather, machine, reruns, suite, turns
from harness.cli.rerun import baseline_commits
from harness.config import Expansion, expand, load_config
from harness.records.case import Case, Note
from harness.runner.builds import in_both, measure_in_both
from harness.runner.identity import harness_commit
from harness.runner.progress import Silent
from harness.runner.run import execute
from harness.stats.gate import again, baselines, judge, newest_of_level
from harness.stats.judgement import Judgement, Rules
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
    """The nights that are not there yet, and the turns that their suspects take with the baseline's build."""
    index = open_index(asked.results / FILE)
    try:
        for night in range(asked.baseline + asked.nights):
            there = nights_of(asked.results)
            run = there[night] if night < len(there) else session(asked.results, expansion, night)
            done = sum(rerun_of(info.parent) == run.name for info in asked.results.glob(f"*/{INFO}"))
            if night >= asked.baseline and done < asked.reruns:
                index.sync(asked.results)
                evidence = gather(index, asked.results, Repository(asked.results), run.name)
                in_turns(asked, expansion, evidence, night, done)
            print(f"night {night + 1}: {run.name}", file=sys.stderr, flush=True)
    finally:
        index.close()


def in_turns(asked: Asked, expansion: Expansion, evidence: Evidence, night: int, done: int) -> None:
    """What is suspected of the night, as it is or with the planted slowdown, beside the baseline's build: this one.

    `done`: how often it was measured so already.
    """
    rules, tonight = Rules(reruns=asked.reruns), suite(evidence)
    slowed = slowed_series(evidence, expansion.cases[night % len(expansion.cases)])
    wanted = [again(judged, rules) for judged in (tonight, slow_down(tonight, slowed, math.log1p(asked.planted)))]
    held_against = newest_of_level(tonight, rules)
    asked_for = {case for one in wanted for case in baseline_commits(evidence, one, held_against)}
    cases = [case for case in expansion.cases if case.case_id in asked_for]
    builds = {case.case_id: harness_commit() for case in cases}
    note = Note(RERUN_NOTE, evidence.run.run)
    both = replace(expansion, name=f"{expansion.name}-again", cases=in_both(cases, builds), notes=(note,))
    pythons = dict.fromkeys(builds.values(), sys.executable)
    for _ in range(asked.reruns - done if cases else 0):
        run = measure_in_both(both, pythons, asked.results, ("harness", "gate"), Silent()).run_dir
        dated(run, night, hour=4)


def slowed_series(evidence: Evidence, case: Case) -> set[str]:
    return {track.key.series_id for track in evidence.tracks if track.tonight.case_id == case.case_id}


def parsed() -> Asked:
    parser = config_parser(__doc__, "configs/smoke.yaml")
    parser.add_argument("--results", type=Path, required=True, help="its own folder, kept between calls")
    parser.add_argument("--baseline", type=int, default=10, help="nights before the first that is judged")
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--planted", type=float, default=0.05, help="slowdown planted in one case")
    parser.add_argument(
        "--reruns", type=int, default=1, help="runs in which suspects take turns, each with `processes`"
    )
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


def session(results: Path, expansion: Expansion, night: int) -> Path:
    """A real run, dated to the made-up night."""
    run = execute(expansion, results, None, ("harness", "run"), Silent()).run_dir
    dated(run, night, hour=2)
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
            evidence, case = (
                gather(index, asked.results, nowhere, run.name),
                cases[(asked.baseline + night) % len(cases)],
            )
            slowed = slowed_series(evidence, case)
            as_it_is, fresh, limits, pairs = (
                suite(evidence),
                reruns(evidence),
                machine(evidence),
                turns(evidence, asked.results),
            )
            slower = slow_down(as_it_is, slowed, slowdown), slow_down_fresh(fresh, slowed, slowdown)
            yield {
                "night": asked.baseline + night + 1,
                "run": run.name,
                **spreads(as_it_is, rules),
                **told(evidence, again(as_it_is, rules).suspects, judge(as_it_is, fresh, rules, limits, pairs)),
                "alone": told(evidence, again(as_it_is, rules).suspects, judge(as_it_is, fresh, rules, limits)),
                "planted": {
                    "case": case.test.label,
                    "series": len(slowed),
                    **told(
                        evidence,
                        again(slower[0], rules).suspects,
                        judge(*slower, rules, limits, slow_down_fresh(pairs, slowed, slowdown)),
                        slowed,
                    ),
                    "alone": told(evidence, again(slower[0], rules).suspects, judge(*slower, rules, limits), slowed),
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
    for how, part in (
        ("in turns with the baseline's build", lambda of: of),
        ("without the pairs", lambda of: of["alone"]),
    ):
        alarms = sum(bool(part(line)["slower"]) for line in lines)
        unsure = sum(bool(part(line)["cannot_tell"]) for line in lines)
        found = sum(part(line["planted"])["found"] for line in lines)
        print(
            f"{how}: {len(lines)} unchanged nights: {alarms} alarmed, {unsure} with something that could not be told;",
            end=" ",
        )
        print(f"one case {asked.planted:.0%} slower: {found} found")
    for name, what in (("weather_sd", "the weather"), ("median_sd", "the median series without the weather")):
        known = [line[name] for line in lines if line[name]]
        if known:
            print(f"standard deviation between nights of {what}: {sum(known) / len(known):.2%}")
    alarms, found = sum(bool(line["slower"]) for line in lines), sum(line["planted"]["found"] for line in lines)
    return int(alarms > 1 or found < len(lines) - 1)


if __name__ == "__main__":
    sys.exit(main())
