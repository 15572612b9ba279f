"""The worker's end of the line to its parent. A worker whose parent is gone ends, and its process group with it."""

import os
import queue
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from harness.runner.events import Event, Heartbeat, encode
from harness.telemetry import proc as counters

GO_ON = b"go"
PATIENCE_S = 1.0
"""How long the worker waits for the parent to have drawn its progress before it goes on regardless."""
BEAT_S = 1.0


class Link:
    """Events out through `events_fd`, lines in through standard input, SIGINT as the wish to end after this sample."""

    def __init__(self, events_fd: int) -> None:
        os.set_inheritable(events_fd, False)
        self._fd = events_fd
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._interrupted = False
        signal.signal(signal.SIGINT, self._on_interrupt)
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def stop_wanted(self) -> bool:
        """Whether somebody asked to end early."""
        return self._interrupted

    def emit(self, event: Event) -> None:
        """Send `event` and wait until the parent has dealt with it, so that it rests while a sample is taken."""
        while not self._answers.empty():
            self._answers.get_nowait()  # an answer that came too late for its own event
        self._send(event)
        try:
            self._answers.get(timeout=PATIENCE_S)
        except queue.Empty:
            return

    def _send(self, event: Event) -> None:
        line = memoryview(encode(event))
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._fd, line) :]
            except BrokenPipeError:
                _end_group()

    def _listen(self) -> None:
        rest = b""
        while block := os.read(0, 1 << 16):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                if line == GO_ON:
                    self._answers.put(None)
                else:
                    self.lines.put(line)
        _end_group()

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_S)
            self._send(Heartbeat(_cpu_ns(), _bytes_read()))

    def _on_interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True


def _end_group() -> None:
    """Nobody listens any more: end this process, and all it started where the group is its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _cpu_ns() -> int:
    """CPU time of this process and of its living children: an engine may be a program of its own."""
    total = time.process_time_ns()
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue  # the thread ended
        total += sum(found.cpu_ns for pid in children if (found := counters.process(int(pid))) is not None)
    return total


def _bytes_read() -> int:
    """Bytes read by calls and by page faults so far: a slow disk shows as progress."""
    try:
        fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    except OSError:
        return 0
    return int(fields["rchar"]) + int(fields["read_bytes"])
