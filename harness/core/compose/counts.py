"""What several devices counted, as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.program.op import Program, Sizes

Counts = NDArray[np.int64]


def largest_counts(counts: Sequence[Counts]) -> Counts:
    """[n_layer, n_expert]. Devices that share a layer all route all of its tokens, so the largest is the layer's."""
    largest = np.zeros((max(len(count) for count in counts), max(count.shape[1] for count in counts)), np.int64)
    for count in counts:
        part = largest[: len(count), : count.shape[1]]
        np.maximum(part, count, out=part)
    return largest


def counts_of_all_sizes(counts: Sequence[tuple[Program, Counts]]) -> Counts:
    """[n_layer, n_expert] of devices with their programs: what they counted in ubatches of different sizes is added."""
    routers = {op.sizes: None for program, _ in counts for op in program.ops if op.name == "route"}
    shares = [largest_counts([_of_sizes(sizes, *own) for own in counts]) for sizes in routers]
    total: Counts = sum(shares, largest_counts([np.zeros_like(count) for _, count in counts]))
    return total


def _of_sizes(sizes: Sizes, program: Program, count: Counts) -> Counts:
    """What a device counted in layers that it routes in ubatches of these sizes."""
    layers = [op.layer for op in program.ops if op.name == "route" and op.sizes == sizes]
    own = np.zeros_like(count)
    own[layers] = count[layers]
    return own
