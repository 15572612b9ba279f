"""The NumPy backend that defines what the others must compute: float32, or activations quantised as the kernels do."""

from harness.core.reference.backend import ReferenceBackend

__all__ = ["ReferenceBackend"]
