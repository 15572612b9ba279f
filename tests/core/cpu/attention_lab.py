"""Native attention over queries, keys and values of our choice, without a model around it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu.native_module import native

Floats = NDArray[np.float32]
N_VOCAB = 8


@dataclass(frozen=True)
class Heads:
    """What one attention has to deal with."""

    n_head: int = 4
    n_head_kv: int = 1
    head_dim: int = 64
    window: int = 0
    has_sinks: bool = False
    type_k: str = "f16"
    type_v: str = "f16"

    @property
    def columns(self) -> tuple[int, int, int]:
        kv = self.n_head_kv * self.head_dim
        return self.n_head * self.head_dim, kv, kv


class Rows(NamedTuple):
    """float32 [T, heads * head_dim] each."""

    q: Floats
    k: Floats
    v: Floats

    def cut(self, first: int, last: int) -> "Rows":
        return Rows(*(side[first:last] for side in self))


def some_rows(heads: Heads, n: int, seed: int = 0, spread: float = 1.0) -> Rows:
    """Normal numbers; `spread` is the queries' deviation, which makes shares more or less even."""
    random = np.random.default_rng(seed)
    q, k, v = (random.standard_normal((n, columns)).astype(np.float32) for columns in heads.columns)
    return Rows(q * np.float32(spread), k, v)


class AttentionLab:
    """One cache, and attention over it."""

    def __init__(self, heads: Heads, n_ctx: int, rounds: bool, kernels: str = "", threads: int = 1) -> None:
        columns = heads.columns
        self._in, self._out = (0, sum(columns)), (2, columns[0])
        self._native: Any = native().Context(
            kernels=kernels or native().kernel_names()[-1],
            ubatch=n_ctx,
            n_ctx=n_ctx,
            n_vocab=N_VOCAB,
            n_threads=threads,
            buffers=[sum(columns), columns[0], columns[0]],
        )
        self._native.add_cache(
            heads.n_head_kv, heads.head_dim, heads.head_dim, heads.window, heads.type_k, heads.type_v
        )
        sinks = weight(np.linspace(-1, 2, heads.n_head, dtype=np.float32)[None]) if heads.has_sinks else None
        self._native.qkv(
            projections=[(weight(np.eye(sum(columns), dtype=np.float32)), None)], q_norm=None, k_norm=None, slot=0,
            n_head=heads.n_head, eps=1e-6, rope="none", rope_table=0, h=self._in, q=(1, columns[0]),
        )  # fmt: skip
        self._native.attention(
            sinks=sinks, slot=0, n_head=heads.n_head, scale=heads.head_dim**-0.5, rounds=rounds, q=(1, columns[0]),
            a=self._out,
        )  # fmt: skip
        self._native.seal()

    def run(self, rows: Rows, position: int = 0, op_ns: NDArray[np.int64] | None = None) -> Floats:
        """The attention of tokens entering at `position`; their keys and values are kept."""
        n = len(rows.q)
        self._native.write(self._in, np.concatenate(rows, axis=1))
        self._native.run(np.zeros(n, np.int32), position, np.empty((n, N_VOCAB), np.float32), op_ns)
        found = np.empty((n, self._out[1]), np.float32)
        self._native.read(self._out, found)
        return found


def weight(numbers: Floats) -> Any:
    """An F32 matrix of these rows."""
    n_rows, n_columns = numbers.shape
    matrix = native().Matrix("F32", (1, n_rows, n_columns), n_columns * 4, 1)
    matrix.allocate()
    matrix.place(0, np.ascontiguousarray(numbers).view(np.uint8).ravel())
    return matrix


def attended(
    heads: Heads, rows: Rows, rounds: bool, cut: tuple[int, ...] = (), kernels: str = "", threads: int = 1
) -> Floats:
    """All tokens' attention, entered in ubatches of the sizes given."""
    n = len(rows.q)
    lab = AttentionLab(heads, n, rounds, kernels, threads)
    found, first = [], 0
    for size in cut or (n,):
        found.append(lab.run(rows.cut(first, first + size), first))
        first += size
    return np.concatenate(found)
