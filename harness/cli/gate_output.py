"""What the gate found in the form asked for: text for a person, Markdown for a pull request, JUnit, JSON, the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.cli.failure import CANNOT_TELL, REGRESSION, first_that_applies
from harness.cli.talk import put, say

if TYPE_CHECKING:
    from harness.records.history import Commit, History

Form = Literal["text", "md", "json", "junit"]


def exit_of(found: "History") -> int:
    """The gate's exit code: 1 for a regression, 4 where something cannot be told or nothing could be judged, else 0."""
    verdicts = {series.verdict for series in found.series}
    unsure = bool(verdicts & {"CANNOT TELL", "FAILED", "INVALID"}) or verdicts <= {"NO BASELINE"}
    return first_that_applies([REGRESSION] * ("SLOWER" in verdicts) + [CANNOT_TELL] * unsure)


def show(found: "History", between: "tuple[Commit, ...]", form: Form) -> None:
    """Put `form` on standard output."""
    if form != "text":
        put(_rendered(found, between, form))
        return
    from rich.console import Console  # noqa: PLC0415

    from harness.report.gate import gate_document  # noqa: PLC0415
    from harness.report.terminal import show_document  # noqa: PLC0415

    show_document(gate_document(found, between), Console(highlight=False))


def write(
    found: "History", between: "tuple[Commit, ...]", files: Mapping[Form, Path | None], page: Path | None
) -> None:
    """Write the forms that have a path, and the nightly page if it has a folder."""
    for form, path in files.items():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_rendered(found, between, form))
    if page is not None:
        from harness.report.nightly import write_history  # noqa: PLC0415

        say(f"page: {write_history(found, page)}")


def _rendered(found: "History", between: "tuple[Commit, ...]", form: Form) -> str:
    from harness.records.json import to_json  # noqa: PLC0415
    from harness.report.gate import gate_junit, gate_markdown  # noqa: PLC0415

    if form == "json":
        return to_json(found, indent=1) + "\n"
    return gate_junit(found) if form == "junit" else gate_markdown(found, between)
