"""The CPU backend: whole programs executed natively, one call per ubatch, on threads of its own."""

from harness.core.cpu.backend import CpuBackend
from harness.core.cpu.packed import PACKED_FORMATS, packed_bytes

__all__ = ["PACKED_FORMATS", "CpuBackend", "packed_bytes"]
