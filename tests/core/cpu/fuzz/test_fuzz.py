"""The native entry, fuzzed under AddressSanitizer and UndefinedBehaviorSanitizer: a minute in CI, seconds elsewhere."""

import os
import subprocess
import sys
import time
from pathlib import Path

import cmake
import pytest

FOLDER = Path(__file__).parent
BUILD = FOLDER.parents[3] / "build" / "fuzz"
SECONDS = os.environ.get("HARNESS_FUZZ_S", "60" if os.environ.get("CI") else "5")


def finished(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def fuzz() -> Path:
    """Built once and kept: a second run compiles what changed."""
    tool = Path(cmake.CMAKE_BIN_DIR) / "cmake"
    made = finished(tool, "-S", FOLDER, "-B", BUILD, "-G", "Ninja", f"-DPython_EXECUTABLE={sys.executable}",
                    f"-DCMAKE_MAKE_PROGRAM={Path(sys.executable).with_name('ninja')}")  # fmt: skip
    assert made.returncode == 0, made.stderr
    built = finished(tool, "--build", BUILD, "-j", "2")
    assert built.returncode == 0, built.stdout[-4000:]
    return BUILD / "fuzz"


@pytest.mark.parametrize(("mistake", "word"), [("overread", "heap-buffer-overflow"), ("overflow", "integer overflow")])
def test_a_mistake_made_on_purpose_is_caught(fuzz: Path, mistake: str, word: str) -> None:
    done = finished(fuzz, mistake)
    assert done.returncode != 0
    assert word in done.stderr


def test_no_weight_and_no_program_makes_native_code_leave_its_memory(fuzz: Path) -> None:
    """Every run begins with another case; `build/fuzz/fuzz 0 NUMBER` repeats the one that was caught."""
    done = finished(fuzz, SECONDS, str(time.time_ns() // 1000))
    assert done.returncode == 0, done.stderr[-6000:]
    n_cases, n_refused = (int(word) for word in done.stdout.split() if word.isdecimal())
    assert n_cases > 20
    assert 0.05 < n_refused / n_cases < 0.6, "most are honest"
