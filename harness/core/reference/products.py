"""Matrix products in the two modes of the reference.

`FloatProduct` multiplies dequantised weights in float32. `Q8Product` follows docs/numerics.md to the bit: the result
for one token and one row does not depend on how many others there are.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import dequantize, normal_form
from harness.core.formats.table import Format
from harness.core.reference.arithmetic import BLOCK, F32, LANES, fma, in_lanes, quantized_activations, sum_of_lanes
from harness.core.reference.weights import Decoder, Matrix

MAX_ELEMENTS = 1 << 22


class Product(Protocol):
    """y [T, rows] = x [T, K] times the rows of a matrix."""

    def __call__(self, matrix: Matrix, x: F32) -> F32: ...


class FloatProduct:
    """float32 by float32, in the order NumPy likes."""

    def __call__(self, matrix: Matrix, x: F32) -> F32:
        return x @ matrix.stored.whole(matrix.expert, _FLOATS)[matrix.range].T


class Q8Product:
    """Quantised weights by activations quantised in blocks of 32; plain weights by float32."""

    def __call__(self, matrix: Matrix, x: F32) -> F32:
        weight = matrix.stored.whole(matrix.expert, _Q8)
        if isinstance(weight, _Lanes):
            return _plain_product(weight.steps[..., matrix.range], x)
        return _quantized_product(weight, matrix.range, x)


@dataclass(frozen=True)
class _Lanes:
    """Plain weights in the order they are summed: [K/8, 8, rows]."""

    steps: F32


@dataclass(frozen=True)
class _Blocks:
    """Quantised weights: codes int8 [K/32, 32, rows], scale and minimum [K/group, rows]."""

    codes: NDArray[np.int8]
    scale: F32
    minimum: F32 | None
    group: int

    def block(self, index: int, rows: slice) -> "_Block":
        """Block `index` along K, for a range of rows."""
        groups = slice(index * (BLOCK // self.group), (index + 1) * (BLOCK // self.group))
        minimum = None if self.minimum is None else self.minimum[groups, rows]
        return _Block(self.codes[index, :, rows].astype(np.float32), self.scale[groups, rows], minimum, self.group)


@dataclass(frozen=True)
class _Block:
    """Codes [32, rows] as float32, scale and minimum [groups, rows] of one block along K."""

    codes: F32
    scale: F32
    minimum: F32 | None
    group: int


def _plain_product(steps: F32, x: F32) -> F32:
    s = np.zeros((LANES, len(x), steps.shape[-1]), np.float32)
    for w, lanes in zip(steps, in_lanes(x), strict=True):
        s = fma(w[:, None, :], lanes.T[:, :, None], s)
    return sum_of_lanes(np.moveaxis(s, 0, -1))


def _quantized_product(weight: _Blocks, rows: slice, x: F32) -> F32:
    n_rows = rows.stop - rows.start
    n_tokens = max(1, MAX_ELEMENTS // n_rows)  # only to bound memory: tokens do not influence each other
    spans = (x[start : start + n_tokens] for start in range(0, len(x), n_tokens))
    return np.concatenate([_product_of_span(weight, rows, span) for span in spans])


def _product_of_span(weight: _Blocks, rows: slice, x: F32) -> F32:
    q, d = quantized_activations(x)
    y = np.zeros((len(x), rows.stop - rows.start), np.float32)
    for block in range(len(q)):
        y = _add_block(weight.block(block, rows), q[block], d[block][:, None], y)
    return y


def _add_block(block: _Block, q: F32, d: F32, y: F32) -> F32:
    """One block of 32 along K: its groups' scales ascending, then their minimums. q [T, 32], d [T, 1], y [T, rows].

    Sums of at most 32 products below 2^14 are exact in float32 in any order.
    """
    spans = [slice(start, start + block.group) for start in range(0, BLOCK, block.group)]
    for span, scale in zip(spans, block.scale, strict=True):
        y = fma(q[:, span] @ block.codes[span], scale * d, y)
    if block.minimum is None:
        return y
    for span, minimum in zip(spans, block.minimum, strict=True):
        y = fma(-q[:, span].sum(axis=1, keepdims=True), minimum * d, y)
    return y


def _decode_q8(fmt: Format, rows: NDArray[np.uint8], n_columns: int) -> _Lanes | _Blocks:
    if fmt.group == 0:
        steps = in_lanes(dequantize(fmt, rows, n_columns))
        return _Lanes(np.ascontiguousarray(np.moveaxis(steps, -1, 1)))
    form = normal_form(fmt, rows, n_columns)
    codes = np.ascontiguousarray(form.codes.T).reshape(-1, BLOCK, len(rows))
    minimum = None if form.minimum is None else np.ascontiguousarray(form.minimum.T)
    return _Blocks(codes, np.ascontiguousarray(form.scale.T), minimum, fmt.group)


def _size_q8(weight: _Lanes | _Blocks) -> int:
    if isinstance(weight, _Lanes):
        return weight.steps.nbytes
    return weight.codes.nbytes + weight.scale.nbytes + (0 if weight.minimum is None else weight.minimum.nbytes)


_FLOATS: Decoder[F32] = Decoder(dequantize, lambda floats: floats.nbytes)
_Q8: Decoder[_Lanes | _Blocks] = Decoder(_decode_q8, _size_q8)
