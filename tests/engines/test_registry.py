"""Engines by name."""

import subprocess
import sys

import pytest

from harness.engines.registry import build
from harness.errors import EngineError


def test_an_unknown_engine_is_told_what_there_is() -> None:
    with pytest.raises(EngineError, match="unknown engine 'vllm'; there are core, fake"):
        build("vllm")


def test_the_registry_and_the_runner_import_no_engine() -> None:
    code = (
        "import sys, harness.engines.registry, harness.runner.run\n"
        "found = {f'harness.engines.{n}' for n in ('core', 'fake', 'ik_wheel', 'xllamacpp', 'llama_bench')}\n"
        "sys.exit(sorted(found & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
