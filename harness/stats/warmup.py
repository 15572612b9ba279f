"""Where warming up ends: read from the data, never from a fixed count. At most the first half can be warm-up."""

import math
from collections.abc import Sequence

import numpy as np

from harness.stats.interval import t_quantile

CONFIDENCE = 0.995
SMALLEST_EFFECT = 0.01
"""Below one percent a slow start cannot matter to a figure that is shown to three digits."""


def detect(samples: Sequence[float]) -> int:
    """The number of leading samples to exclude: the leading run that the second half would not predict.

    The second half is the reference; a leading sample is warm-up if it lies outside the reference's 99.5 % prediction
    interval (mean ± t * s * sqrt(1 + 1/m)) and more than SMALLEST_EFFECT off its mean. Slow starts (cold caches) and
    fast starts (boost clocks) both count. Fewer than four samples say nothing: 0.
    """
    values = np.asarray(samples, dtype=np.float64)
    half = values.size // 2
    if half < 2:
        return 0
    rest = values[half:]
    mean, sd, m = float(rest.mean()), float(rest.std(ddof=1)), rest.size
    reach = max(t_quantile(m - 1, CONFIDENCE) * sd * math.sqrt(1 + 1 / m), SMALLEST_EFFECT * abs(mean))
    strange = np.flatnonzero(np.abs(values[:half] - mean) > reach)
    return _leading_run(strange.tolist())


def _leading_run(strange: list[int]) -> int:
    """How many of 0, 1, 2 ... are all in `strange`: a lone outlier further in is noise, not warming up."""
    run = 0
    while run < len(strange) and strange[run] == run:
        run += 1
    return run
