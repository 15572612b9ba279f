"""The CPU backend: whole programs executed natively, one call per ubatch, on threads of its own."""

from harness.core.cpu.backend import CpuBackend

__all__ = ["CpuBackend"]
