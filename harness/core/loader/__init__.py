"""Streams each byte of a model once from its file to where the plan says."""

from harness.core.loader.stream import load_weights

__all__ = ["load_weights"]
