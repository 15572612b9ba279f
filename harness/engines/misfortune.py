"""What can befall a worker, done for real to this process: the runner's answers are tested on the thing itself."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from harness.core.errors import OutOfMemoryError
from harness.engines.script import Fault, FaultKind
from harness.errors import EngineError

_LINE = b"a line of an engine that talks too much\n"


def befall(fault: Fault) -> None:
    """Returns only from flood, grandchild and a thawed stop. Errors: EngineError, OutOfMemoryError where scripted."""
    if fault.deaf:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _ACTS[fault.kind](fault)


def _give_up(fault: Fault) -> None:
    os.write(2, b"the engine gives up\n")
    os._exit(fault.code)


def _hang(_fault: Fault) -> None:
    while True:
        time.sleep(3600)


def _spin(_fault: Fault) -> None:
    while True:
        pass


def _fail(_fault: Fault) -> None:
    raise EngineError("the script wants this case to fail.")


def _run_out(_fault: Fault) -> None:
    raise OutOfMemoryError("the script wants this device to be too small.")


def _flood(fault: Fault) -> None:
    block = _LINE * 1600
    for _ in range(0, fault.n_bytes, len(block)):
        os.write(1, block)
        os.write(2, block)


def _leave_grandchild(fault: Fault) -> None:
    subprocess.Popen(["sleep", "600"], start_new_session=fault.own_session)


_ACTS: Mapping[FaultKind, Callable[[Fault], object]] = {
    "segv": lambda _fault: ctypes.string_at(0),
    "abort": lambda _fault: os.abort(),
    "kill": lambda _fault: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda _fault: os.kill(os.getpid(), signal.SIGSTOP),
    "exit": _give_up,
    "hang": _hang,
    "spin": _spin,
    "error": _fail,
    "oom": _run_out,
    "flood": _flood,
    "grandchild": _leave_grandchild,
}
