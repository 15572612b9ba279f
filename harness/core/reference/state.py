"""What one run of a program knows besides its values: where the tokens stand, the KV cache, the product to use."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.options import KvType
from harness.core.program.op import KvSlot, Op
from harness.core.reference.arithmetic import F32, quantized_activations
from harness.core.reference.products import Product
from harness.core.reference.weights import Matrix, Stored


@dataclass(frozen=True)
class Routing:
    """Experts [T, k] of each token in descending order of their score, and their weights [T, k]."""

    experts: NDArray[np.int32]
    weights: F32


@dataclass(frozen=True)
class KvCache:
    """Keys [n_ctx, n_head_kv, head_dim] and values [n_ctx, n_head_kv, head_dim_v] of one layer, read back as numbers.

    Those of type f16 are held as such, those of type q8_0 as the float32 that their codes stand for.
    """

    keys: NDArray[np.floating]
    values: NDArray[np.floating]

    @classmethod
    def empty(cls, slot: KvSlot, n_ctx: int, type_k: KvType = "f16", type_v: KvType = "f16") -> "KvCache":
        """Room for `n_ctx` positions."""
        shape = (n_ctx, slot.n_head_kv)
        keys = np.zeros((*shape, slot.head_dim), _HELD_AS[type_k])
        return cls(keys, np.zeros((*shape, slot.head_dim_v), _HELD_AS[type_v]))

    def store(self, positions: NDArray[np.int64], k: F32, v: F32) -> None:
        """Keys and values [T, n_head_kv, …] of `positions`, rounded as the cache keeps them."""
        with np.errstate(over="ignore"):
            for held, heads in ((self.keys, k), (self.values, v)):
                held[positions] = heads.astype(np.float16) if held.dtype == np.float16 else through_q8_0(heads)


def through_q8_0(heads: F32) -> F32:
    """What q8_0 keeps of [..., d]: codes of 32 numbers as activations have them, their scale rounded to f16."""
    q, d = quantized_activations(heads.reshape(-1, heads.shape[-1]))
    kept: F32 = d.astype(np.float16).astype(np.float32)[..., None] * q
    return np.moveaxis(kept, 0, 1).reshape(heads.shape)


_HELD_AS: dict[str, type[np.floating]] = {"f16": np.float16, "q8_0": np.float32}


@dataclass(frozen=True)
class State:
    """One ubatch: `tokens` [T] enter at `position`."""

    tokens: NDArray[np.int32]
    position: int
    kv: tuple[KvCache, ...]
    rope: tuple[tuple[F32, F32], ...]
    product: Product

    @property
    def positions(self) -> NDArray[np.int64]:
        """Of the ubatch's tokens."""
        return np.arange(self.position, self.position + len(self.tokens))


@dataclass(frozen=True)
class Step:
    """One operation at work in one ubatch, with its weights by role."""

    op: Op
    weights: Mapping[str, Stored]
    state: State

    def integer(self, key: str) -> int:
        """A param that is a whole number."""
        return int(self.op.params[key])

    def number(self, key: str) -> np.float32:
        """A param that is a number."""
        return np.float32(self.op.params[key])

    def text(self, key: str) -> str:
        """A param that is a word."""
        return str(self.op.params[key])

    def product(self, matrix: Matrix, x: F32) -> F32:
        """Rows of `matrix` times x [T, K] -> [T, rows]."""
        return self.state.product(matrix, x)

    def affine(self, matrix: Matrix, bias: F32 | None, x: F32) -> F32:
        """Product, then bias."""
        y = self.product(matrix, x)
        return y if bias is None else y + bias

    def bias(self, role: str, expert: int = 0) -> F32 | None:
        """The bias of that role, or None."""
        return self.weights[role].vector(expert) if role in self.weights else None
