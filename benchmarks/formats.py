"""What each weight format takes on this CPU: packing while loading, and one weight's product in token generation.

Packing is one core's, best of five, in GB of the file per second. In TG all formats take turns with a weight of about
96 MB each, two rounds of which warm up; GB held per second is the packed size over the median time, and comes beside
the share of Q8_0's. Random weights; sizes are real.

    python benchmarks/formats.py --threads 2
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu.native_module import native
from harness.core.cpu.packed import PACKED_FORMATS, packed_bytes
from harness.core.formats import random_rows
from harness.core.formats.table import BY_NAME

COLUMNS = 4096
HELD_BYTES = 96 << 20
PACKED_BYTES = 24 << 20
DRAWN_ROWS = 64
WARM = 2
REFERENCE = "Q8_0"


@dataclass(frozen=True)
class Weight:
    """One format's matrix, and a program that multiplies one token with it."""

    name: str
    n_weights: int
    file_bytes: int
    held_bytes: int
    pack_gb_s: float
    context: Any

    def product_ns(self) -> int:
        """One token."""
        times = np.zeros(1, np.int64)
        self.context.run(np.zeros(1, np.int32), 0, np.empty((1, 1), np.float32), times)
        return int(times[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    weights = [made(name, asked.threads) for name in BY_NAME if name in PACKED_FORMATS]
    times: dict[str, list[int]] = {weight.name: [] for weight in weights}
    for round_number in range(WARM + asked.rounds):
        for weight in weights:
            taken = weight.product_ns()
            if round_number >= WARM:
                times[weight.name].append(taken)
    report(weights, {name: statistics.median(taken) for name, taken in times.items()})


def made(name: str, threads: int) -> Weight:
    """The format's weight, packed; errors of the native part for a format it does not know."""
    drawn = random_rows(BY_NAME[name], DRAWN_ROWS, COLUMNS, np.random.default_rng(3))
    n_rows = HELD_BYTES // packed_bytes(name, DRAWN_ROWS, COLUMNS, small=False) * DRAWN_ROWS
    matrix = empty(name, n_rows, drawn.shape[1])
    for first in range(0, n_rows, DRAWN_ROWS):
        matrix.place(first, drawn)
    context = native().Context(
        kernels=native().kernel_names()[-1], ubatch=1, n_ctx=1, n_vocab=1, n_threads=threads, buffers=[COLUMNS, n_rows]
    )
    context.linear(weight=matrix, bias=None, x=(0, COLUMNS), residual=None, y=(1, n_rows))
    context.seal()
    context.write((0, COLUMNS), np.random.default_rng(1).standard_normal((1, COLUMNS)).astype(np.float32))
    sizes = n_rows * COLUMNS, n_rows * drawn.shape[1], matrix.n_bytes
    return Weight(name, *sizes, packing(name, drawn), context)


def empty(name: str, n_rows: int, row_bytes: int) -> Any:
    matrix = native().Matrix(name, (1, n_rows, COLUMNS), row_bytes, 1, True, False)
    matrix.allocate()
    return matrix


def packing(name: str, drawn: NDArray[np.uint8]) -> float:
    """GB of the file per second, on one core, into memory that was filled before."""
    n_rows = PACKED_BYTES // drawn.shape[1] // DRAWN_ROWS * DRAWN_ROWS
    matrix, best = empty(name, n_rows, drawn.shape[1]), float("inf")
    for _ in range(6):
        begin = time.perf_counter()
        for first in range(0, n_rows, DRAWN_ROWS):
            matrix.place(first, drawn)
        best = min(best, time.perf_counter() - begin)
    n_bytes: int = n_rows * drawn.shape[1]
    return n_bytes / best / 1e9


def report(weights: list[Weight], median_ns: dict[str, float]) -> None:
    reference = next(w.held_bytes / median_ns[w.name] for w in weights if w.name == REFERENCE)
    print("| format | packing, GB/s of file | TG, ps a weight | GB/s held | of Q8_0's | packed / file |")
    print("| --- | --: | --: | --: | --: | --: |")
    for weight in weights:
        taken, rate = median_ns[weight.name], weight.held_bytes / median_ns[weight.name]
        print(
            f"| {weight.name} | {weight.pack_gb_s:.1f} | {taken * 1e3 / weight.n_weights:.1f} | {rate:.1f} "
            f"| {rate / reference:.0%} | {weight.held_bytes / weight.file_bytes:.2f} |"
        )


if __name__ == "__main__":
    main()
