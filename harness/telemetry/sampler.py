"""A process that reads host and GPUs ten times a second while another one measures. It ends when its parent does.

The measuring process pays nothing: readings stay here until they are asked for. Protocol: one line `FROM_NS TO_NS` in,
one line of JSON out, a list of readings; end of input ends the process.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict

from harness.records.json import from_json
from harness.telemetry.nvml import Gpus
from harness.telemetry.rapl import packages
from harness.telemetry.reading import Reader, Reading

PERIOD_S = 0.1
PERIOD_NS = int(PERIOD_S * 1e9)
KEPT = 36_000
"""An hour of readings."""


class Sampler:
    """The parent's end of the process."""

    def __init__(self, pids: Sequence[int]) -> None:
        command = [sys.executable, "-m", "harness.telemetry.sampler", *map(str, pids)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def readings(self, start_ns: int, end_ns: int) -> tuple[Reading, ...]:
        """Those taken from start_ns to end_ns, in order; none if the process has died, which costs telemetry only."""
        if self._process.stdin is None or self._process.stdout is None:
            return ()
        try:
            self._process.stdin.write(f"{start_ns} {end_ns}\n")
            self._process.stdin.flush()
            return from_json(tuple[Reading, ...], self._process.stdout.readline() or "[]")
        except (OSError, ValueError):
            return ()

    def close(self) -> None:
        """End the process. Never raises."""
        try:
            self._process.communicate(timeout=2)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


def main(pids: Sequence[int]) -> None:
    """Read until the input ends."""
    os.nice(5)  # whoever measures goes first
    gpus = Gpus()
    reader = Reader(pids, gpus, packages()[0])
    kept: deque[Reading] = deque(maxlen=KEPT)
    due = time.monotonic()
    while True:
        kept.append(reader.read())
        due = max(due + PERIOD_S, time.monotonic())
        while (left := due - time.monotonic()) > 0:
            if select.select([sys.stdin], [], [], left)[0] and not _answer(kept):
                gpus.close()
                return


def _answer(kept: Sequence[Reading]) -> bool:
    """Serve one request; False at the end of input."""
    line = sys.stdin.readline()
    if not line:
        return False
    start_ns, end_ns = map(int, line.split())
    print(json.dumps([asdict(r) for r in kept if start_ns <= r.time_ns <= end_ns]), flush=True)  # noqa: T201  the protocol
    return True


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
