"""The CPU backend: whole programs executed natively, one call per ubatch, on threads of its own."""

from harness.core.cpu.backend import CpuBackend
from harness.core.cpu.packed import PACKED_FORMATS, packed_bytes

KV_TYPES = frozenset({"f16", "q8_0"})
"""What keys and values can be kept as."""

__all__ = ["KV_TYPES", "PACKED_FORMATS", "CpuBackend", "packed_bytes"]
