"""What stands between the up and gate products and down: SwiGLU, plain and clamped."""

import numpy as np

from harness.core.errors import UnsupportedError
from harness.core.reference.arithmetic import F32, exponential

CLAMP = np.float32(7)
ALPHA = np.float32(1.702)


def activate(kind: str, gate: F32, up: F32) -> F32:
    """Elementwise; `kind` is an op's param `activation`."""
    if kind == "swiglu":
        return silu(gate) * up
    if kind == "swiglu_oai":
        return _swiglu_oai(gate, up)
    raise UnsupportedError(f"activation {kind!r} has no implementation in the reference")


def silu(x: F32) -> F32:
    """Sigmoid-weighted: x / (1 + exp(-x))."""
    y: F32 = x / (np.float32(1) + exponential(-x))
    return y


def _swiglu_oai(gate: F32, up: F32) -> F32:
    """gpt-oss: g = min(gate, 7), u = clamp(up, -7, 7), g * sigmoid(1.702 g) * (u + 1)."""
    g, u = np.minimum(gate, CLAMP), np.clip(up, -CLAMP, CLAMP)
    y: F32 = g / (np.float32(1) + exponential(-(ALPHA * g))) * (u + np.float32(1))
    return y
