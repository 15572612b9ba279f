"""The gate on real runs: nights of a config on this machine, their dates made up, and the same nights with a slowdown.

Every night is a real run. The first nights are the baseline; then each night is judged twice, as it is and with the
times of one case, re-runs included, multiplied by a planted factor, case by case in turn. Suspects really run again in
fresh processes. Stopped, it goes on where it was; the log has a line per night.

    python benchmarks/gate_nights.py --results nights --config configs/smoke.yaml

Exits with 0 if at most one of the unchanged nights alarmed and at most one planted slowdown was missed. A quiet machine
is part of the claim: with other work on the cores the gate says CANNOT TELL, which counts as missed.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from harness.cli.evidence import Evidence, gather, reruns, suite
from harness.cli.rerun import measure_again
from harness.config import Expansion, expand, load_config
from harness.records.case import Case
from harness.runner.progress import Silent
from harness.runner.run import execute
from harness.stats.gate import Again, Judgement, Rules, again, baselines, judge
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
    rules = Rules(reruns=asked.reruns)
    for night in range(len(nights_of(asked.results)), asked.baseline + asked.nights):
        run = one_night(asked.results, expansion, night)
        if night < asked.baseline:
            print(f"night {night + 1}: baseline, {run.name}", flush=True)
            continue
        case = expansion.cases[(night - asked.baseline) % len(expansion.cases)]
        line = {
            "night": night + 1,
            "run": run.name,
            **judged(asked.results, run.name, rules, night),
            "planted": planted(asked, run, case, rules, night),
        }
        with (asked.results / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
    return summary(asked)


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


def one_night(results: Path, expansion: Expansion, night: int) -> Path:
    """A real run, dated to the made-up night."""
    run = execute(expansion, results, None, ("harness", "run"), Silent()).run_dir
    dated(run, night, hour=2)
    return run


def dated(run: Path, night: int, hour: int) -> None:
    content = info_of(run)
    content["started"] = f"{FIRST + timedelta(days=night)}T{hour:02}:00:00+00:00"
    (run / INFO).write_text(json.dumps(content))


def judged(
    results: Path, run: str, rules: Rules, night: int, slowed: Case | None = None, factor: float = 1.0
) -> dict[str, object]:
    """What the gate says of a run after its suspects ran again; `slowed` has its re-runs' times multiplied too."""
    index = open_index(results / FILE)
    try:
        index.sync(results)
        nowhere = Repository(results)
        evidence = gather(index, results, nowhere, run)
        wanted = again(suite(evidence), rules)
        before = set(results.glob(f"*/{INFO}"))
        if wanted != Again():
            measure_again(evidence, wanted, results, rules.reruns)
        for info in set(results.glob(f"*/{INFO}")) - before:
            dated(info.parent, night, hour=4)
            if slowed is not None:
                slow_down(info.parent, slowed, factor)
        index.sync(results)
        evidence = gather(index, results, nowhere, run)
        return told(evidence, judge(suite(evidence), reruns(evidence), rules), wanted, rules)
    finally:
        index.close()


def told(evidence: Evidence, found: Sequence[Judgement], wanted: Again, rules: Rules) -> dict[str, object]:
    names = {track.key.series_id: track.name for track in evidence.tracks}
    cases = {track.key.series_id: track.tonight.case_id for track in evidence.tracks}
    slower = [j for j in found if j.outcome == "SLOWER"]
    clear = cleared(suite(evidence), {})
    spreads = sorted(base.sd for base in baselines(clear.suite, rules) if base is not None)
    weather = [base.sd for base in baselines(clear.weather, rules) if base is not None]
    return {
        "suspects": len(wanted.suspects),
        "weather": round(clear.weather[0].tonight, 5) if clear.weather else None,
        "slower": {names[j.series_id]: round(j.ratio or 0, 4) for j in slower},
        "slower_cases": sorted({cases[j.series_id] for j in slower}),
        "cannot_tell": [names[j.series_id] for j in found if j.outcome == "CANNOT TELL"],
        "median_sd": round(spreads[len(spreads) // 2], 5) if spreads else None,
        "weather_sd": round(weather[0], 5) if weather else None,
    }


def planted(asked: Asked, run: Path, case: Case, rules: Rules, night: int) -> dict[str, object]:
    """The same night with `case` slowed down, judged in a copy of the results."""
    copy = asked.results.parent / f"{asked.results.name}-planted"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in asked.results.glob(f"*/{INFO}"):
        if rerun_of(path.parent) != run.name:
            shutil.copytree(path.parent, copy / path.parent.name)
    slow_down(copy / run.name, case, 1 + asked.planted)
    found = judged(copy, run.name, rules, night, case, 1 + asked.planted)
    shutil.rmtree(copy, ignore_errors=True)
    cases = found["slower_cases"]
    return {"case": case.test.label, "found": isinstance(cases, list) and case.case_id in cases, **found}


def slow_down(run: Path, case: Case, factor: float) -> None:
    """Multiply all times of a case's record."""
    for path in run.glob("case-*.json"):
        content = json.loads(path.read_text())
        if content["case"]["case_id"] == case.case_id:
            for row in content["rows"]:
                for sample in row["samples"]:
                    sample["total_ns"] = round(sample["total_ns"] * factor)
            path.write_text(json.dumps(content))


def summary(asked: Asked) -> int:
    log = asked.results / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    alarms = sum(bool(line["slower"]) for line in lines)
    found = sum(line["planted"]["found"] for line in lines)
    unsure = sum(bool(line["cannot_tell"]) for line in lines)
    sds = [line["median_sd"] for line in lines if line["median_sd"]]
    moods = [line["weather_sd"] for line in lines if line["weather_sd"]]
    print(f"{len(lines)} unchanged nights: {alarms} alarmed, {unsure} with something that could not be told")
    print(f"{len(lines)} nights with one case {asked.planted:.0%} slower: {found} found")
    if sds:
        print(f"standard deviation between nights, median over series: {sum(sds) / len(sds):.2%} without the weather")
    if moods:
        print(f"standard deviation of the weather: {sum(moods) / len(moods):.2%}")
    return int(alarms > 1 or found < len(lines) - 1)


if __name__ == "__main__":
    sys.exit(main())
