"""Goes on with one run and is killed at a random moment: `kill_again_and_again.py RESULTS KILLS CASES WORKERS SEED`.

Each go is a fork of this process, which has everything imported, so that the kills fall into the run and not into
Python's start. A go lives up to twice as long as the first case took on this machine. WORKERS "real" or "instant": with
instant ones nearly every kill falls into the writing of a record. Prints what the goes said.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import instant
from go import go_on

from harness.errors import EXPECTED
from harness.runner import run, sequence
from harness.store.runs import list_runs


def begin(results: Path, n_cases: int) -> int:
    """A go in a process of its own."""
    runs = list_runs(results)
    resume = runs[0].run if runs else ""
    child = os.fork()
    if child == 0:
        try:
            go_on(results, resume, n_cases, "virtual")
        except EXPECTED as error:
            os.write(1, f"error {error}\n".encode())
        finally:
            os._exit(0)
    return child


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def time_of_a_case_s(results: Path, n_cases: int) -> float:
    start = time.monotonic()
    child = begin(results, n_cases)
    while not list(results.glob("*/case-*.json")):
        time.sleep(0.001)
    kill(child)
    return time.monotonic() - start


def use_instant_workers() -> None:
    sequence.supervise = instant.supervise  # type: ignore[assignment]
    run.surveyed = lambda info, *_: info


def main(results: Path, n_kills: int, n_cases: int, workers: str, seed: int) -> None:
    if workers == "instant":
        use_instant_workers()
    lives = random.Random(seed)
    longest_s = 2 * time_of_a_case_s(results, n_cases)
    for _ in range(n_kills - 1):
        child = begin(results, n_cases)
        time.sleep(lives.uniform(0, longest_s))
        kill(child)
    os.write(1, b"killed enough\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
