"""A results folder with one real run of the fake engine, and earlier nights made from it by scaling its times."""

import json
import random
from pathlib import Path
from typing import Any

from command_line import call, fake_config

COMMIT = "0123456789ab"


def tonight(folder: Path, script: str = "{noise: 0.001}") -> Path:
    """Run the fake config for real; the run's folder."""
    result = call("run", fake_config(folder, script), "--results", folder / "results", "--reports", folder / "reports")
    assert result.exit_code == 0, result.output
    (run,) = {path.parent for path in (folder / "results").glob("*/run.json")}
    return run


def nights(run: Path, n: int, sd: float = 0.002, scale: float = 1.0) -> None:
    """`n` nights before `run`, whose times are `scale` times its own, with a session noise of `sd`."""
    rng = random.Random(1)
    for night in range(n):
        copy_run(run, f"2026-01-{night + 1:02}-night", f"2026-01-{night + 1:02}T02:00:00+00:00", scale, sd, rng)


def copy_run(run: Path, name: str, started: str, scale: float, sd: float, rng: random.Random) -> Path:
    folder = run.parent / name
    folder.mkdir()
    for path in run.glob("*.json"):
        content = json.loads(path.read_text())
        content["run"] = name
        content["harness_commit"] = content["build_commit"] = COMMIT
        if "started" in content:
            content["started"] = started
        scale_times(content, scale * rng.gauss(1, sd))
        (folder / path.name).write_text(json.dumps(content))
    return folder


def slow_down(run: Path, scale: float, containing: str) -> None:
    """Multiply the times of the records whose test has `containing` in it."""
    for path in run.glob("case-*.json"):
        content = json.loads(path.read_text())
        if containing in content["case"]["test"]["kind"]:
            scale_times(content, scale)
            path.write_text(json.dumps(content))


def scale_times(content: dict[str, Any], scale: float) -> None:
    for row in content.get("rows", []):
        for sample in row["samples"]:
            sample["total_ns"] = round(sample["total_ns"] * scale)
