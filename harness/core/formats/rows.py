"""Rows of any format to and from numbers. A format's module is found by its name, so that a format is one file."""

from functools import cache
from importlib import import_module

import numpy as np

from harness.core.errors import UnsupportedError
from harness.core.formats.codec import Blocks, Bytes, Codec, Floats, NormalForm, PlainCodec
from harness.core.formats.table import Format


@cache
def codec(fmt: Format) -> Codec:
    """The codec of `fmt`, from harness/core/formats/<name>.py."""
    found: Codec = import_module(f"{__package__}.{fmt.name.lower()}").CODEC
    return found


def normal_form(fmt: Format, rows: Bytes, n_columns: int) -> NormalForm:
    """`rows` uint8 [n, row_bytes] of a quantised format as codes and scales.

    Whatever bytes the rows hold, they decode: scales may be infinite or NaN, codes never leave int8.
    Errors: UnsupportedError for F32, F16 and BF16, which have no codes; ValueError for rows of another size.
    """
    block_codec = codec(fmt)
    if isinstance(block_codec, PlainCodec):
        raise UnsupportedError(f"{fmt.name} holds plain numbers, which have no codes; dequantise it instead.")
    blocks = take_apart(fmt, rows, n_columns)
    with np.errstate(all="ignore"):
        form = block_codec.decode(blocks)
    n_rows, n_groups = len(rows), n_columns // fmt.group
    minimum = None if form.minimum is None else form.minimum.reshape(n_rows, n_groups)
    return NormalForm(form.codes.reshape(n_rows, n_columns), form.scale.reshape(n_rows, n_groups), minimum)


def dequantize(fmt: Format, rows: Bytes, n_columns: int) -> Floats:
    """`rows` uint8 [n, row_bytes] as float32 [n, n_columns], bit for bit what ggml's dequantisation yields."""
    found = codec(fmt)
    with np.errstate(all="ignore"):
        if isinstance(found, PlainCodec):
            _check_size(fmt, rows, n_columns)
            return found.to_float(rows)
        return normal_form(fmt, rows, n_columns).dequantize()


def quantize(fmt: Format, weights: Floats) -> Bytes:
    """float32 [n, K] as rows uint8 [n, row_bytes]. Errors: UnsupportedError for a format without a quantiser."""
    found = codec(fmt)
    if isinstance(found, PlainCodec):
        return found.from_float(weights)
    if found.quantize is None:
        raise UnsupportedError(f"There is no quantiser for {fmt.name} here; llama-quantize has one.")
    blocks = np.ascontiguousarray(weights, np.float32).reshape(len(weights), -1, fmt.block)
    return found.quantize(blocks).reshape(len(weights), -1)


def take_apart(fmt: Format, rows: Bytes, n_columns: int) -> Blocks:
    """Rows as header and blocks, views of the same memory. Errors: ValueError for rows of another size."""
    _check_size(fmt, rows, n_columns)
    header, body = np.split(rows, [fmt.row_header_bytes], axis=1)
    return Blocks(body.reshape(len(rows), n_columns // fmt.block, fmt.block_bytes), header)


def _check_size(fmt: Format, rows: Bytes, n_columns: int) -> None:
    expected = fmt.row_bytes(n_columns)
    if n_columns % fmt.block or rows.ndim != 2 or rows.shape[1] != expected or rows.dtype != np.uint8:
        raise ValueError(f"{fmt.name}: {n_columns} columns need uint8 rows of {expected} bytes, not {rows.shape}")
