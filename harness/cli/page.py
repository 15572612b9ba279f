"""The page of a run that a command has just measured: written, and its path said."""

from pathlib import Path

from harness.cli.talk import say


def write_page(run_dir: Path, reports: Path) -> None:
    """Into a folder of the run's name below `reports`."""
    from harness.report.html import write_report  # noqa: PLC0415  `--help` need not pay for it

    say(f"report: {write_report(run_dir, reports / run_dir.name)}")
