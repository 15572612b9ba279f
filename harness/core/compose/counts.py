"""What several devices counted, as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def largest_counts(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """[n_layer, n_expert]. Devices that share a layer all route all of its tokens, so the largest is the layer's."""
    largest = np.zeros((max(len(count) for count in counts), max(count.shape[1] for count in counts)), np.int64)
    for count in counts:
        part = largest[: len(count), : count.shape[1]]
        np.maximum(part, count, out=part)
    return largest
