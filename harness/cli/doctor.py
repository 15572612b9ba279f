"""`harness doctor`: what would disturb or prevent a run on this machine, how noisy it is, and what to do about it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.failure import FAILED
from harness.cli.talk import put, say

if TYPE_CHECKING:
    from harness.cli.disturbances import Finding
    from harness.records.record import Limits
    from harness.runner.noise import RowNoise

app = command_app()
NOISE_NS = 16_000_000_000
QUIET_SD = 0.01
"""Pairs that scatter less find one percent in some 20 pairs."""


@app.command()
def doctor(
    results: Results = RESULTS,
    quick: Annotated[bool, typer.Option("--quick", help="Look only; do not measure this machine's noise.")] = False,
) -> None:
    """Look for what would disturb a run here.

    Then a small model is compared with itself for half a minute: that is this machine's own noise. Exits with 3 if
    something would prevent a run.
    """
    from harness.cli.checkup import checkup  # noqa: PLC0415

    prevented = False
    for finding in checkup(results):
        prevented |= finding.grade == "bad"
        _put(finding)
    if not quick and not prevented:
        say("comparing a small model with itself, half a minute")
        for finding in _noise_findings():
            _put(finding)
    if prevented:
        raise typer.Exit(FAILED)


def _put(finding: "Finding") -> None:
    advice = f"\n{'':6}{'':22}→ {finding.advice}" if finding.advice else ""
    put(f"{finding.grade:<6}{finding.what:<22}{finding.text}{advice}")


def _noise_findings() -> "Iterator[Finding]":
    """What this machine adds to a comparison, and what it can do at most. Errors: RunError."""
    from harness.runner.noise import measure_noise, smoke_cases  # noqa: PLC0415
    from harness.runner.progress import Silent  # noqa: PLC0415

    with TemporaryDirectory(prefix="harness-doctor-") as folder:
        rows, limits = measure_noise(smoke_cases(NOISE_NS), Path(folder), Silent())
    yield from map(noise_finding, rows)
    yield from limit_findings(limits)


def noise_finding(row: "RowNoise") -> "Finding":
    """One row's noise and the pairs it costs."""
    from harness.cli.disturbances import Finding  # noqa: PLC0415
    from harness.report.numbers import count  # noqa: PLC0415
    from harness.stats.power import MOST_PAIRS  # noqa: PLC0415

    if row.pairs_to_find >= MOST_PAIRS:
        cost = "one percent cannot be found here"
    else:
        cost = f"1 % is found in {count(row.pairs_to_find)} pairs, SAME within ± 1 % in {count(row.pairs_to_confine)}"
    disturbed = f" ({row.n_disturbed} more were disturbed)" if row.n_disturbed else ""
    text = f"{row.n_pairs} pairs scatter by {row.sd:.2%}{disturbed}: {cost}"
    quiet = row.sd <= QUIET_SD and row.n_disturbed <= row.n_pairs
    advice = "" if quiet else "see the notes above; a longer sample scatters less"
    return Finding("good" if quiet else "note", f"noise of {row.test}", text, advice)


def limit_findings(limits: "Limits") -> "Iterator[Finding]":
    """The best bandwidth and rate, by name."""
    from harness.cli.disturbances import Finding  # noqa: PLC0415

    for what, found, unit in (("bandwidth", limits.bandwidth, "GB/s"), ("multiply rate", limits.rate, "GMAC/s")):
        if found:
            name = max(found, key=lambda key: found[key])
            yield Finding("good", what, f"{found[name] / 1e9:.1f} {unit} ({name})")
