"""Suspects measured again, each in fresh processes: runs of their own that name the run whose suspects they look at.

Beside the baseline's build where there is one, else on their own with some company that tells the weather.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.evidence import Evidence, kind_of
from harness.cli.talk import say
from harness.errors import RunError

if TYPE_CHECKING:
    from harness.cli.baseline_build import Builds
    from harness.config import Expansion
    from harness.records.case import Case
    from harness.records.record import RunInfo
    from harness.runner.progress import Progress
    from harness.runner.run import RunOutcome
    from harness.stats.gate import Again
    from harness.store.sessions import RunEntry

COMPANY_WANTED = 8
"""Series of a suspect's kind that are none, measured beside it if there are as many: their median is the weather."""
SAMPLE_WANTED = 4
"""Series of a kind that is slow as a whole, which tell together with the baseline's build whether the code is."""


def obstacle(info: "RunInfo") -> str:
    """Why this machine cannot say anything about that run by measuring again; empty if it can."""
    from harness.runner.identity import harness_commit  # noqa: PLC0415
    from harness.telemetry.fingerprint import fingerprint  # noqa: PLC0415

    here = fingerprint().device_class
    if info.fingerprint.device_class != here:
        return f"the run was made on another machine ({info.fingerprint.device_class or 'unnamed'}; this is {here})"
    now = harness_commit()
    if info.harness_commit and now != info.harness_commit:
        return f"the code is at {now or 'no commit'}, the run was made at {info.harness_commit}"
    return ""


def measure_again(evidence: Evidence, wanted: "Again", results: Path, times: int) -> bool:
    """Measure the suspects' cases and some company, in turns with their opponents as before, in `times` runs.

    False if interrupted. Errors: RunError.
    """
    from harness.runner.run import execute  # noqa: PLC0415
    from harness.store.runs import read_run  # noqa: PLC0415

    info = read_run(evidence.run.run, results).info
    expansion = _expansion(info, chosen_cases(evidence, wanted, info.cases))

    def measure(command: tuple[str, ...], progress: "Progress") -> "RunOutcome":
        return execute(expansion, results, None, command, progress)

    return _sessions(expansion, f"{len(wanted.suspects)} suspects and their company", times, measure)


def measure_beside_baseline(
    evidence: Evidence, wanted: "Again", held_against: Mapping[str, str], builds: "Builds", results: Path, times: int
) -> bool:
    """Measure the suspects' cases, and some of what is slow as a whole, in turns with the baseline's build.

    `held_against`: by series and kind, the run whose build that is. False if interrupted. Errors: RunError, before
    anything is measured, where there is no such build.
    """
    from harness.runner.builds import in_both, measure_in_both, pairs_of_builds  # noqa: PLC0415
    from harness.store.runs import read_run  # noqa: PLC0415

    info = read_run(evidence.run.run, results).info
    commits = baseline_commits(evidence, wanted, held_against)
    cases = [case for case in info.cases if case.case_id in commits]
    if foreign := next((case for case in cases if case.peer_binary), None):
        raise RunError(f"{foreign.peer_binary}: a program of its own, of which no earlier build is known.")
    pythons = builds.pythons(commits)
    expansion = _expansion(info, in_both(cases, commits))

    def measure(command: tuple[str, ...], progress: "Progress") -> "RunOutcome":
        outcome = measure_in_both(expansion, pythons, results, command, progress)
        if not outcome.interrupted and not any(pairs_of_builds(outcome.records)):
            failed = next((r.error.message for r in outcome.records if r.error), "no case was measured in both")
            raise RunError(f"{outcome.run_dir}: {failed}")
        return outcome

    what = f"{len(wanted.suspects)} suspects in turns with the build of {', '.join(pythons)}"
    return _sessions(expansion, what, times, measure)


def chosen_cases(evidence: Evidence, wanted: "Again", cases: "Collection[Case]") -> "tuple[Case, ...]":
    """The suspects' cases with their opponents, and of the rest what brings those beside them to COMPANY_WANTED."""
    from harness.runner.order import company  # noqa: PLC0415

    case_of = {track.key.series_id: track.tonight.case_id for track in evidence.tracks}
    kinds = {track.key.series_id: kind_of(track.key) for track in evidence.tracks}
    asked = {case_of[name] for name in wanted.suspects}
    suffering = {kinds[name] for name in wanted.suspects or wanted.company}
    for name in wanted.company:
        coming = {case.case_id for case in company(asked, tuple(cases))}
        beside = sum(kinds[other] == kinds[name] and case_of[other] in coming for other in wanted.company)
        if kinds[name] in suffering and beside < COMPANY_WANTED:
            asked.add(case_of[name])
    return company(asked, tuple(cases))


def baseline_commits(evidence: Evidence, wanted: "Again", held_against: Mapping[str, str]) -> dict[str, str]:
    """By case to be measured beside the baseline: the commit of the night that it is held against.

    Of several series of a case, and their kind if that is slow as a whole, it is the oldest one's: it has none of the
    slowdowns that last. Errors: RunError where that night's code cannot be built again.
    """
    kinds = {track.key.series_id: kind_of(track.key) for track in evidence.tracks}
    case_of = {track.key.series_id: track.tonight.case_id for track in evidence.tracks}
    chosen = [*wanted.suspects]
    for kind in wanted.moved:
        own = [name for name in wanted.company if kinds[name] == kind]
        chosen += own[:SAMPLE_WANTED]
    oldest: dict[str, int] = {}
    nights = (*evidence.nights, evidence.run)
    place = {entry.run: number for number, entry in enumerate(nights)}
    for name in chosen:
        runs = [held_against[name], *([held_against[kinds[name]]] if kinds[name] in wanted.moved else [])]
        oldest[case_of[name]] = min(oldest.get(case_of[name], len(place)), *(place[run] for run in runs))
    return {case: _commit(nights[number]) for case, number in oldest.items()}


def _commit(entry: "RunEntry") -> str:
    if not entry.harness_commit or entry.harness_commit.endswith("-dirty"):
        raise RunError(
            f"{entry.run}: was made by {entry.harness_commit or 'an unknown commit'}, which cannot be built."
        )
    return entry.harness_commit


def _expansion(info: "RunInfo", cases: "Iterable[Case]") -> "Expansion":
    from harness.config import Expansion  # noqa: PLC0415
    from harness.records.case import Note  # noqa: PLC0415
    from harness.store.runs import RERUN_NOTE  # noqa: PLC0415

    note = Note(RERUN_NOTE, info.run)
    return Expansion(name=f"{info.config_name}-again", cases=tuple(cases), notes=(note,), text=info.config_text)


def _sessions(
    expansion: "Expansion", what: str, times: int, measure: "Callable[[tuple[str, ...], Progress], RunOutcome]"
) -> bool:
    """`times` runs of it, each with fresh processes. False if interrupted."""
    from harness.cli.progress import RunProgress  # noqa: PLC0415
    from harness.config import labels  # noqa: PLC0415

    names = {case.case_id: label for case, label in zip(expansion.cases, labels(expansion.cases), strict=True)}
    for number in range(times):
        say(f"{what}, fresh session {number + 1} of {times}")
        with RunProgress(names) as progress:
            if measure(("harness", *sys.argv[1:]), progress).interrupted:
                return False
    return True
