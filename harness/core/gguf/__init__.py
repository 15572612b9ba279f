"""GGUF files: a bounded reader that trusts no length in the file, and a writer that never holds a whole model."""

from harness.core.gguf.file import GgufFile, open_gguf
from harness.core.gguf.tensor import TensorInfo

__all__ = ["GgufFile", "TensorInfo", "open_gguf"]
