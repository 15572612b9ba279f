"""The CPU backend: whole programs executed natively, one call per ubatch, on threads of its own.

`PACKED_FORMATS` are those whose rows the kernels have in a layout of their own; planning asks, so it needs no build.
"""

from harness.core.cpu.backend import CpuBackend

PACKED_FORMATS = frozenset({"MXFP4", "Q4_0", "Q4_1", "Q8_0", "Q2_K", "Q4_K", "Q5_K", "Q6_K", "IQ2_XXS", "IQ4_K"})

__all__ = ["PACKED_FORMATS", "CpuBackend"]
