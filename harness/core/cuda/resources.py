"""What every kernel takes of an SM, by architecture, as ptxas reports it: registers, spills, stack, shared memory.

`python -m harness.core.cuda.resources` prints docs/cuda_resources.md; a test compares a fresh compilation with it.
No GPU and no driver is needed, and nothing here is a speed.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass

from harness.core.cuda.nvrtc import ARCHITECTURES, compile_kernel, nvrtc_version
from harness.core.cuda.sources import instances

_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
_VERSION = re.compile(r"NVRTC (\d+\.\d+)")

HEADER = """# What the CUDA kernels take of an SM

Written by `python -m harness.core.cuda.resources`, compiled by NVRTC {version}; checked by
tests/core/cuda/test_cuda_resources.py. Each cell: registers a thread, bytes spilled, bytes of stack, bytes of static
shared memory a block; "–" where the architecture has no such kernel.

"""


@dataclass(frozen=True)
class Resources:
    """Per thread: `registers`, `spill_bytes` and `stack_bytes`; per block: `shared_bytes`."""

    registers: int
    spill_bytes: int
    stack_bytes: int
    shared_bytes: int


Table = Mapping[tuple[str, str, int], Resources]
"""By entry, format ("" where there is none) and architecture."""


def measure(architectures: Iterable[int]) -> Table:
    """Compile every instance for every architecture. Errors: DeviceError."""
    work = [(kernel, architecture) for architecture in architectures for kernel in instances(architecture)]
    with ThreadPoolExecutor(2) as pool:
        logs = pool.map(lambda each: compile_kernel(*each).log, work)
        return {
            (entry, kernel.format, architecture): resources
            for (kernel, architecture), log in zip(work, logs, strict=True)
            for entry, resources in read_log(log)
        }


def read_log(log: str) -> Iterator[tuple[str, Resources]]:
    """Entries and their resources from what ptxas printed with -v."""
    for part in log.split("ptxas info    : Compiling")[1:]:
        entry, stack, used = (pattern.search(f"Compiling{part}") for pattern in (_ENTRY, _STACK, _USED))
        if entry and stack and used:
            spill = int(stack[2]) + int(stack[3])
            yield entry[1], Resources(int(used[1]), spill, int(stack[1]), int(used[2] or 0))


def render(table: Table, version: str) -> str:
    """The committed page."""
    architectures = sorted({key[2] for key in table})
    lines = [HEADER.format(version=version), "| kernel | format |" + "".join(f" sm_{each} |" for each in architectures)]
    lines.append("|---|---|" + "---|" * len(architectures))
    for entry, name in sorted({key[:2] for key in table}):
        found = [table.get((entry, name, each)) for each in architectures]
        cells = [" ".join(map(str, astuple(used))) if used else "–" for used in found]
        lines.append(f"| {entry} | {name or '–'} | " + " | ".join(cells) + " |")
    return lines[0] + "\n".join(lines[1:]) + "\n"


def parse(page: str) -> tuple[Table, str]:
    """The table of a committed page, and the version of NVRTC it was made with."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    architectures = [int(cell.removeprefix("sm_")) for cell in rows[0][2:]]
    table = {
        (row[0], row[1].removeprefix("–"), architecture): Resources(*map(int, cell.split()))
        for row in rows[1:]
        for architecture, cell in zip(architectures, row[2:], strict=True)
        if cell != "–"
    }
    found = _VERSION.search(page)
    return table, found[1] if found else ""


def changes_for_the_worse(found: Table, committed: Table, *, same_compiler: bool) -> list[str]:
    """Kernels that are not in the table, or take more than it says; another compiler may count registers otherwise."""
    worse = []
    for key, now in found.items():
        before = committed.get(key)
        if before is None:
            worse.append(f"{_named(key)} is not in the table")
        elif any(a > b for a, b in zip(_costs(now, same_compiler), _costs(before, same_compiler), strict=True)):
            worse.append(f"{_named(key)} took {before} and takes {now}")
    return worse


def _costs(resources: Resources, same_compiler: bool) -> tuple[int, ...]:
    kept = (resources.spill_bytes, resources.stack_bytes, resources.shared_bytes)
    return (*kept, resources.registers) if same_compiler else kept


def _named(key: tuple[str, str, int]) -> str:
    entry, name, architecture = key
    return f"{entry}{f' for {name}' if name else ''} on sm_{architecture}"


def main() -> None:
    """Print the page for all architectures."""
    sys.stdout.write(render(measure(ARCHITECTURES), nvrtc_version()))


if __name__ == "__main__":
    main()
