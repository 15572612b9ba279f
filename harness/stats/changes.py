"""Steps in a series over time: ruptures proposes places, a permutation test decides.

The test asks how often shuffled values show as large a step anywhere, so a place chosen for its size gets no credit
for having been chosen. The same series gives the same answer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.interval import t_quantile

SIGNIFICANT = 0.01
FEWEST = 3
"""Points a level needs on either side of a step."""
PERMUTATIONS = 999
_CLIP = 4.0
"""Robust standard deviations to which spikes are clipped, so that one bad night is no step."""
_RESOLUTION = 1e-6
_SEED = 1137


@dataclass(frozen=True)
class Change:
    """A step: `index` is the first point after it; `shift` the new level less the old one, with its 95 % interval."""

    index: int
    shift: float
    low: float
    high: float
    p_value: float


def change_points(values: Sequence[float]) -> tuple[Change, ...]:
    """The significant steps of a series, in order. Each level is measured between the steps around it."""
    series = np.asarray(values, dtype=np.float64)
    if series.size < 2 * FEWEST:
        return ()
    clipped = _clipped(series)
    if not _worth_looking(clipped):
        return ()
    steps = _candidates(clipped)
    while steps:
        edges = [0, *steps, series.size]
        chances = [_p_value(clipped[edges[i] : edges[i + 2]]) for i in range(len(steps))]
        worst = int(np.argmax(chances))
        if chances[worst] <= SIGNIFICANT:
            return tuple(_change(clipped, edges[i], edges[i + 1], edges[i + 2], p) for i, p in enumerate(chances))
        steps.pop(worst)
    return ()


def _clipped(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spikes shorter than a level drawn in towards the median of their neighbourhood; steps keep their height."""
    width = FEWEST - 1
    padded = np.pad(series, width, mode="reflect")
    local = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1), axis=1)
    scale = _noise(series)
    clipped: NDArray[np.float64] = np.clip(series, local - _CLIP * scale, local + _CLIP * scale)
    return clipped


def _noise(series: NDArray[np.float64]) -> float:
    """Standard deviation around the level, from differences of neighbours: a step disturbs only one of them."""
    differences = np.abs(np.diff(series))
    return max(1.4826 * float(np.median(differences)) / math.sqrt(2), _RESOLUTION)


def _worth_looking(series: NDArray[np.float64]) -> bool:
    """Whether a step could be significant at all; spares flat series the search.

    The largest of a flat series' scaled steps is below 2.2 standard deviations in nine of ten, and none is significant.
    A short episode shows less as a step than as a spread beyond that of neighbours.
    """
    sd = max(float(series.std()), _RESOLUTION)
    return float(_largest_step(series[None, :])[0]) > 2.2 * sd or sd > 2 * _noise(series)


def _candidates(series: NDArray[np.float64]) -> list[int]:
    import ruptures  # noqa: PLC0415  costs half a second

    scale = _noise(series)
    search = ruptures.KernelCPD(kernel="linear", min_size=FEWEST).fit((series / scale)[:, None])
    found: list[int] = search.predict(pen=2 * math.log(series.size))
    return found[:-1]


def _p_value(part: NDArray[np.float64]) -> float:
    """The chance of as large a step anywhere in `part` if its order meant nothing."""
    rng = np.random.default_rng(_SEED)
    shuffled = rng.permuted(np.tile(part, (PERMUTATIONS, 1)), axis=1)
    seen = float(_largest_step(part[None, :])[0])
    return float(1 + np.count_nonzero(_largest_step(shuffled) >= seen * (1 - 1e-12))) / (PERMUTATIONS + 1)


def _largest_step(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per row: the largest |mean after - mean before| over places, each scaled to equal variance."""
    n = rows.shape[1]
    before = np.arange(FEWEST, n - FEWEST + 1)
    sums = np.cumsum(rows, axis=1)
    left = sums[:, before - 1] / before
    right = (sums[:, -1:] - sums[:, before - 1]) / (n - before)
    largest: NDArray[np.float64] = (np.abs(right - left) * np.sqrt(before * (n - before) / n)).max(axis=1)
    return largest


def _change(series: NDArray[np.float64], start: int, at: int, end: int, p_value: float) -> Change:
    before, after = series[start:at], series[at:end]
    shift = float(after.mean() - before.mean())
    degrees = before.size + after.size - 2
    squares = float(((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum())
    half = t_quantile(degrees, 0.95) * math.sqrt(squares / degrees * (1 / before.size + 1 / after.size))
    return Change(at, shift, shift - half, shift + half, p_value)
