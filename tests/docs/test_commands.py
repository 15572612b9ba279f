"""Every `harness` command in README and docs is run as it stands there; of `make` only what it would do."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.synth import write_preset

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LONG = ("selftest", "gate", "benchmarks/", "vs_peers", "why_muge")
"""Minutes each, and run by tests or benchmarks of their own; here their first word must at least explain itself."""


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for language, body in FENCE.findall(page.read_text(encoding="utf-8")):
            for line in body.splitlines() if language == "sh" else ():
                command = line.split(" #")[0].strip()
                if command:
                    yield page.name, command


COMMANDS = list(commands())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader of README has: the YAML it shows, a model of that name, and the shipped configs."""
    folder = tmp_path_factory.mktemp("reader")
    (yaml,) = [body for language, body in FENCE.findall((ROOT / "README.md").read_text()) if language == "yaml"]
    (folder / "mine.yaml").write_text(yaml)
    write_preset("tiny-qwen3moe", folder / "my-model.gguf")
    shutil.copytree(ROOT / "configs", folder / "configs")
    return folder


def test_there_are_commands_to_run() -> None:
    assert {command.split()[0] for _, command in COMMANDS} >= {"harness", "make"}


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
def test_the_command_works_as_written(page: str, command: str, folder: Path) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        run(["make", "-n", *words[1:]], ROOT)
    elif any(word in command for word in LONG) or words[0] != "harness":
        run(as_help(words), ROOT)
    else:
        run([sys.executable, "-m", "harness.cli", *words[1:]], folder, also=(4,))


def as_help(words: list[str]) -> list[str]:
    """The long command's own help: it exists and explains itself."""
    if words[0] == "harness":
        return [sys.executable, "-m", "harness.cli", words[1], "--help"]
    if words[0].endswith(".sh"):
        return ["bash", "-n", words[0]]
    program = next(word for word in words if word.endswith(".py"))
    return [sys.executable, program, "--help"]


def run(command: list[str], cwd: Path, also: tuple[int, ...] = ()) -> None:
    environment = {**os.environ, "HARNESS_CACHE": str(cwd / "cache")} if cwd != ROOT else dict(os.environ)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode in (0, *also), f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "Traceback" not in done.stderr
