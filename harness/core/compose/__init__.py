"""One backend made of several: a program whose operations are on different devices runs on all of them at once."""

from harness.core.compose.backend import ComposedBackend

__all__ = ["ComposedBackend"]
