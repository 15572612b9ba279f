"""A worker process as its parent holds it: own process group, pipes always drained, and nothing of it left behind.

Ending is final: when `Ended` arrives, no process that the worker started is alive, in its group or out of it.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from harness.records.json import to_json
from harness.runner.events import Event, decode
from harness.runner.job import Job
from harness.runner.link import GO_ON

TAIL_BYTES = 64 << 10
LONGEST_EVENT = 64 << 20
MARK = "HARNESS_WORKER"
"""The variable by which processes that left the worker's group are still found."""
KEPT_ENV = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TERM", "TZ")
KEPT_PREFIXES = (
    *("LC_", "PYTHON", "XDG_", "HARNESS_", "COVERAGE_", "COV_"),
    *("CUDA_", "NVIDIA_", "CUPY_", "GGML_", "LLAMA_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_"),
)
DRAIN_S = 2.0
LOOKS = 20


@dataclass(frozen=True)
class Ended:
    """The process is gone; negative `code` is the signal that ended it."""

    code: int


@dataclass(frozen=True)
class Garbled:
    """The worker sent what is no event."""

    why: str


Message = Event | Ended | Garbled


class Worker:
    """Starts at once; `get` yields its events in order and `Ended` last. `python` has the harness that does the job."""

    def __init__(self, job: Job, python: str = sys.executable) -> None:
        self._mark = uuid.uuid4().hex
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._tail = bytearray()
        events_read, events_write = os.pipe()
        output_read, output_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                [python, "-P", "-m", "harness.runner.worker", str(events_write)],  # -P: not what lies in this folder
                stdin=subprocess.PIPE,
                stdout=output_write,
                stderr=output_write,
                pass_fds=(events_write,),
                start_new_session=True,
                bufsize=0,
                env=_environment(self._mark),
            )
        finally:
            os.close(events_write)
            os.close(output_write)
        self._readers = (
            threading.Thread(target=self._read_events, args=(events_read,), daemon=True),
            threading.Thread(target=self._read_output, args=(output_read,), daemon=True),
        )
        for thread in (*self._readers, threading.Thread(target=self._wait, daemon=True)):
            thread.start()
        self.send(to_json(job).encode())

    @property
    def pid(self) -> int:
        """Of the worker, which leads its process group."""
        return self._process.pid

    def get(self, timeout_s: float) -> Message | None:
        """The next message; None after `timeout_s` or a `wake`."""
        try:
            return self._messages.get(timeout=max(timeout_s, 0))
        except queue.Empty:
            return None

    def wake(self) -> None:
        """Make a waiting `get` return; safe in a signal handler."""
        self._messages.put(None)

    def send(self, line: bytes) -> None:
        """One line to the worker; one that is gone hears nothing."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(line + b"\n")

    def go_on(self) -> None:
        """The event is dealt with; the worker may begin the next sample."""
        self.send(GO_ON)

    def signal(self, number: signal.Signals) -> None:
        """Send to the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def tail(self) -> str:
        """The last 64 KiB of what it printed, to stdout and stderr alike."""
        return bytes(self._tail).decode(errors="replace")

    def _wait(self) -> None:
        """Reap only after the group is dead: until then its number cannot belong to anyone else."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.signal(signal.SIGKILL)
        code = self._process.wait()
        _end_escaped(self._mark)
        for reader in self._readers:
            reader.join(DRAIN_S)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._messages.put(Ended(code))

    def _read_events(self, descriptor: int) -> None:
        rest = b""
        with open(descriptor, "rb", buffering=0) as pipe:
            while block := pipe.read(1 << 16):
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    self._messages.put(_decode(line))
                if len(rest) > LONGEST_EVENT:
                    self._messages.put(Garbled(f"an event of over {LONGEST_EVENT} bytes"))
                    return

    def _read_output(self, descriptor: int) -> None:
        with open(descriptor, "rb", buffering=0) as pipe:
            while block := pipe.read(1 << 16):
                self._tail += block
                del self._tail[:-TAIL_BYTES]


def _decode(line: bytes) -> Message:
    try:
        return decode(line)
    except ValueError as error:
        return Garbled(str(error))


def _environment(mark: str) -> dict[str, str]:
    """What a worker needs to find programs, libraries and devices; nothing else leaks into it."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT_ENV or name.startswith(KEPT_PREFIXES)}
    return {**kept, MARK: mark}


def _end_escaped(mark: str) -> None:
    """Kill what carries the worker's mark, descendants with a session of their own, until a look finds none alive."""
    for _ in range(LOOKS):
        found = _carriers(f"{MARK}={mark}".encode())
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _carriers(wanted: bytes) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # another user's, or just gone; a zombie's is empty
            if wanted in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found
