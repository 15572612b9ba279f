"""Suspects measured again, each in fresh processes: runs of their own that name the run whose suspects they look at."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.evidence import Evidence, kind_of
from harness.cli.talk import say

if TYPE_CHECKING:
    from harness.records.case import Case
    from harness.records.record import RunInfo
    from harness.stats.gate import Again

COMPANY_WANTED = 8
"""Series of a suspect's kind that are none, measured beside it if there are as many: their median is the weather."""


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
    from harness.cli.progress import RunProgress  # noqa: PLC0415
    from harness.config import Expansion, labels  # noqa: PLC0415
    from harness.records.case import Note  # noqa: PLC0415
    from harness.runner.run import execute  # noqa: PLC0415
    from harness.store.runs import RERUN_NOTE, read_run  # noqa: PLC0415

    info = read_run(evidence.run.run, results).info
    cases = chosen_cases(evidence, wanted, info.cases)
    note = Note(RERUN_NOTE, info.run)
    expansion = Expansion(name=f"{info.config_name}-again", cases=cases, notes=(note,), text=info.config_text)
    names = {case.case_id: label for case, label in zip(cases, labels(cases), strict=True)}
    for number in range(times):
        say(f"{len(wanted.suspects)} suspects and their company, fresh session {number + 1} of {times}")
        with RunProgress(names) as progress:
            outcome = execute(expansion, results, None, ("harness", *sys.argv[1:]), progress)
        if outcome.interrupted:
            return False
    return True


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
