"""Benchmarks mixture-of-experts language models; `harness.load(run)` returns results as a DataFrame."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

__version__ = "0.1.0"


def load(run: str) -> "DataFrame":
    """One row per measurement of the run folder `run` (or its name below results/); named as in llama-bench."""
    from harness.store.frame import load as load_frame  # noqa: PLC0415  pandas is slow to import

    return load_frame(run)
