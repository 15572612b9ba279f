"""What a format's module provides: how its blocks become the normal form, and how blocks are made."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NormalForm:
    """w[k] = scale[k // group] * codes[k] - minimum[k // group], each product rounded once to float32.

    `codes` int8 [n, K]; `scale` and `minimum` float32 [n, K / group]; `minimum` is None where the format has none.
    """

    codes: NDArray[np.int8]
    scale: Floats
    minimum: Floats | None

    def dequantize(self) -> Floats:
        """float32 [n, K]."""
        n_rows, n_columns = self.codes.shape
        group = n_columns // self.scale.shape[1]
        weights = self.codes.reshape(n_rows, -1, group).astype(np.float32) * self.scale[:, :, None]
        if self.minimum is not None:
            weights -= self.minimum[:, :, None]
        return weights.reshape(n_rows, n_columns)


@dataclass(frozen=True)
class PlainCodec:
    """A format without blocks: one number after another."""

    to_float: Callable[[Bytes], Floats]
    from_float: Callable[[Floats], Bytes]


@dataclass(frozen=True)
class Blocks:
    """Rows taken apart: `body` [n, blocks, block_bytes] and `header` [n, row_header_bytes], views of the same bytes."""

    body: Bytes
    header: Bytes


@dataclass(frozen=True)
class BlockCodec:
    """A quantised format.

    `decode` gives codes [n, blocks, block], scale and minimum [n, blocks, groups of a block], any of them in a shape
    that holds the same numbers in the same order. `write_scale` sets the float fields of blocks whose other bits are
    already there, such that weights are proportional to the step [n, blocks] and centred on zero. `quantize` turns
    float32 [n, blocks, block] into blocks.
    """

    decode: Callable[[Blocks], NormalForm]
    write_scale: Callable[[Blocks, Floats], None]
    quantize: Callable[[Floats], Bytes] | None = None


Codec = PlainCodec | BlockCodec
