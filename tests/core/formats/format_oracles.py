"""Other people's dequantisation, to compare ours with: the gguf package, and ik_llama.cpp's libggml by ctypes."""

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from harness.core.formats.table import Format

FIRST_IK_TYPE = 100


class _InitParams(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


@cache
def ik_ggml() -> ctypes.CDLL:
    """libggml of the ik wheel; ggml_init fills its float16 table, without which every scale reads as zero."""
    spec = find_spec("ik_llama_cpp")
    assert spec is not None, "the test extra installs ik-llama-cpp-python"
    assert spec.origin is not None
    library = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "libggml.so"))
    library.ggml_init.argtypes, library.ggml_init.restype = [_InitParams], ctypes.c_void_p
    library.ggml_free.argtypes = [ctypes.c_void_p]
    library.ggml_free(library.ggml_init(_InitParams(1 << 20, None, False)))
    return library


def ik_dequantize(fmt: Format, rows: NDArray[np.uint8], n_columns: int) -> NDArray[np.float32]:
    function = getattr(ik_ggml(), f"dequantize_row_{fmt.name.lower()}")
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    out = np.empty((len(rows), n_columns), np.float32)
    for row, numbers in zip(rows, out, strict=True):
        packed = np.ascontiguousarray(row)
        function(packed.ctypes.data, numbers.ctypes.data, n_columns)
    return out


def ik_row_bytes(fmt: Format, n_columns: int) -> int:
    function = ik_ggml().ggml_row_size
    function.argtypes, function.restype = [ctypes.c_int, ctypes.c_int64], ctypes.c_size_t
    return int(function(fmt.type_id, n_columns))


def ik_quantize(fmt: Format, weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Rows as ik_llama.cpp's own quantiser makes them, without an importance matrix."""
    n_rows, n_columns = weights.shape
    function = getattr(ik_ggml(), f"quantize_{fmt.name.lower()}")
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    function.restype = ctypes.c_size_t
    rows = np.zeros((n_rows, fmt.row_bytes(n_columns)), np.uint8)
    numbers = np.ascontiguousarray(weights, np.float32)
    assert function(numbers.ctypes.data, rows.ctypes.data, n_rows, n_columns, None) == rows.nbytes
    return rows


def oracle(fmt: Format, rows: NDArray[np.uint8], n_columns: int) -> NDArray[np.float32]:
    """What others make of `rows`: the gguf package for mainline's formats, ik_llama.cpp for its own."""
    if fmt.type_id >= FIRST_IK_TYPE:
        return ik_dequantize(fmt, rows, n_columns)
    with np.errstate(all="ignore"):
        numbers = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType(fmt.type_id))
    return np.asarray(numbers, np.float32)
