"""One weight of any format times some tokens, on the CPU backend and by the reference's rule."""

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu.native_module import native
from harness.core.formats.table import BY_NAME
from harness.core.plan.types import StoredTensor
from harness.core.reference.products import Q8Product
from harness.core.reference.weights import Room, stored_weight

Floats = NDArray[np.float32]


def cpu_product(
    name: str, rows: NDArray[np.uint8], x: Floats, kernels: str, threads: int = 1, layout: str = "rows"
) -> Floats:
    """float32 [T, rows]; re-laid where `layout` says so; placed in two parts, the later one first."""
    n_rows, n_columns, n_tokens = len(rows), x.shape[1], len(x)
    matrix = native().Matrix(name, (1, n_rows, n_columns), rows.shape[1], 1, layout != "rows", layout == "packed_small")
    matrix.allocate()
    half = n_rows // 2
    matrix.place(half, rows[half:])
    matrix.place(0, rows[:half])
    buffers = [n_columns, n_rows]
    context = native().Context(
        kernels=kernels, ubatch=n_tokens, n_ctx=n_tokens, n_vocab=1, n_threads=threads, buffers=buffers
    )
    context.linear(weight=matrix, bias=None, x=(0, n_columns), residual=None, y=(1, n_rows))
    context.seal()
    context.write((0, n_columns), x)
    context.run(np.zeros(n_tokens, np.int32), 0, np.empty((n_tokens, 1), np.float32))
    out = np.empty((n_tokens, n_rows), np.float32)
    context.read((1, n_rows), out)
    return out


def reference_product(name: str, rows: NDArray[np.uint8], x: Floats) -> Floats:
    """float32 [T, rows]."""
    shape = (len(rows), x.shape[1])
    tensor = StoredTensor("weight", "reference-q8", name, shape, BY_NAME[name].row_bytes(x.shape[1]), "rows", ())
    return Q8Product()(stored_weight(tensor, rows, Room()).matrix(), x)


def tokens_of(n_tokens: int, n_columns: int, seed: int) -> Floats:
    """Normal numbers with an outlier in every third block, and a block of zeros."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n_tokens, n_columns)).astype(np.float32)
    x[:, ::96] *= 30
    x[:, 32:64] = 0
    return x
