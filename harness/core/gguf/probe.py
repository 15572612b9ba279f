"""A first look at a file in a child that may use little: what breaks the reader or exhausts it costs one child.

The child only opens the file and reads its header; it computes nothing and prints one line.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from harness.core.errors import CoreError, GgufError, UnsupportedError
from harness.core.gguf.file import open_gguf
from harness.core.gguf.text import BEYOND, printable

ADDRESS_SPACE_BYTES = 1 << 30
CPU_S = 30
WALL_S = 120
_KINDS: dict[str, type[CoreError]] = {kind.__name__: kind for kind in (GgufError, UnsupportedError)}


def probe(path: Path | str) -> None:
    """Return if the file opens in a child of bounded memory and time.

    Errors: GgufError or UnsupportedError as `open_gguf` raised it there, or GgufError saying how the child ended.
    """
    command = [sys.executable, "-m", "harness.core.gguf.probe", str(path)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # each of its threads would reserve address space
    try:
        child = subprocess.run(
            command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=WALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _ended(path, f"no answer within {WALL_S} s") from None
    if child.returncode:
        raise _ended(path, f"exit status {child.returncode}")
    answer = json.loads(child.stdout)
    if answer:
        raise _KINDS[answer["kind"]](answer["message"])


def _ended(path: Path | str, how: str) -> GgufError:
    limits = f"{ADDRESS_SPACE_BYTES >> 20} MiB and {CPU_S} s"
    return GgufError(f"{printable(str(path), 200)}: reading its header within {limits} failed: {how}. {BEYOND}")


def _limit(what: int, amount: int) -> None:
    """Lower a limit; one that is lower already stays."""
    hard = resource.getrlimit(what)[1]
    allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(what, (allowed, allowed))


def main(path: str) -> None:
    """The child: `{}` for a file that opens, else the error's kind and message."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_AS, ADDRESS_SPACE_BYTES)
    answer = {}
    try:
        open_gguf(path).close()
    except (GgufError, UnsupportedError) as error:
        answer = {"kind": type(error).__name__, "message": str(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
