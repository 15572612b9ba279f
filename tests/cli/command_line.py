"""Runs `harness` as a person does, in a process of its own, and as a function."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner, Result

ROOT = Path(__file__).parents[2]

FAKE = """
name: fake-night
models: {nothing: {gguf: none.gguf}}
matrix: {engine: fake, device: "cpu:0", merge_up_gate: [off, on]}
tests: [{pp: 64}, {tg: 8}]
samples: {max: 4}
time_budget: 5 s
fake: %s
"""


def fake_config(folder: Path, script: str = "{noise: 0.001}") -> Path:
    path = folder / "fake.yaml"
    path.write_text(FAKE % script)
    return path


def environment(**changes: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | changes


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "harness.cli", *map(str, arguments)]


def run(*arguments: str | Path, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """The command to its end, in `cwd`."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def call(*arguments: str | Path) -> Result:
    """The command in this process; faster, and monkeypatches hold."""
    from harness.cli.app import app

    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="harness")


def modules_after(arguments: Sequence[str], cwd: Path) -> set[str]:
    """The top-level modules a command has imported when it ends."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*{m.partition('.')[0] for m in sys.modules}, file=sys.stderr))\n"
        "from harness.cli.app import main\n"
        f"sys.argv = ['harness', *{list(arguments)!r}]\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.split())
