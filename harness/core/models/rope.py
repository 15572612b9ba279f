"""Rotary frequencies: plain, linear scaling, YaRN, and per-dimension divisors.

Everything is float64; YaRN as ggml's rope_yarn computes it (arXiv 2309.00071), ext_factor 1.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import UnsupportedError
from harness.core.models.keys import Keys
from harness.core.program.op import RopeTable

MAX_CONTEXT = 1 << 30


@dataclass(frozen=True)
class RopeScaling:
    """How positions are stretched: `kind` "none", "linear" or "yarn", by `factor` over `original_context` tokens."""

    kind: str
    factor: float
    original_context: int
    attn_factor: float
    beta_fast: float
    beta_slow: float


def read_scaling(keys: Keys) -> RopeScaling:
    """The scaling a file asks for. Errors: UnsupportedError for a kind this core does not know."""
    kind = keys.text("rope.scaling.type", "none")
    if kind not in ("none", "linear", "yarn"):
        raise UnsupportedError(f"{keys.arch}.rope.scaling.type is {kind!r}; known are none, linear and yarn")
    trained = keys.integer("context_length", 1 << 20, high=MAX_CONTEXT)
    return RopeScaling(
        kind=kind,
        factor=keys.number("rope.scaling.factor", 1.0),
        original_context=keys.integer("rope.scaling.original_context_length", trained, high=MAX_CONTEXT),
        attn_factor=keys.number("rope.scaling.attn_factor", 1.0),
        beta_fast=keys.number("rope.scaling.yarn_beta_fast", 32.0),
        beta_slow=keys.number("rope.scaling.yarn_beta_slow", 1.0),
    )


def rope_table(n_rot: int, base: float, scaling: RopeScaling, divisors: NDArray[np.float64] | None = None) -> RopeTable:
    """Frequencies [n_rot/2] and the magnitude; `divisors` [n_rot/2] is the tensor `rope_freqs` where a file has it."""
    plain = base ** (-np.arange(0, n_rot, 2, dtype=np.float64) / n_rot)
    if divisors is not None:
        plain = plain / divisors
    if scaling.kind == "none":
        return RopeTable(plain, scaling.attn_factor)
    stretched = plain / scaling.factor
    if scaling.kind == "linear":
        return RopeTable(stretched, scaling.attn_factor)
    kept = _kept_share(n_rot, base, scaling)
    magnitude = scaling.attn_factor * (1.0 + 0.1 * math.log(scaling.factor))
    return RopeTable(stretched * (1.0 - kept) + plain * kept, magnitude)


def _kept_share(n_rot: int, base: float, scaling: RopeScaling) -> NDArray[np.float64]:
    """How much of each frequency YaRN leaves as it was, 1 for the fast ones, falling to 0 for the slow ones."""
    low = max(0.0, math.floor(_dimension_turning(scaling.beta_fast, n_rot, base, scaling.original_context)))
    high = min(n_rot - 1.0, math.ceil(_dimension_turning(scaling.beta_slow, n_rot, base, scaling.original_context)))
    ramp = (np.arange(n_rot // 2, dtype=np.float64) - low) / max(0.001, high - low)
    return 1.0 - np.clip(ramp, 0.0, 1.0)


def _dimension_turning(n_turns: float, n_rot: int, base: float, n_ctx: int) -> float:
    """The (fractional) dimension whose frequency makes `n_turns` turns over `n_ctx` positions."""
    return n_rot * math.log(n_ctx / (n_turns * 2.0 * math.pi)) / (2.0 * math.log(base))
