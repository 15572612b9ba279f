"""A mixture of experts with trained weights, derived from a dense model so that both compute the same function.

Each feed-forward is cut into 8 slices of its hidden columns, and a slice becomes two experts, `s` and `s + 8`, whose
router rows are +w and -w. Of the top 8 of 16, exactly one copy of each slice is chosen, which one varies by token. The
rows are so small that softmax and renormalisation give each choice 1/8, which the down projections, scaled by 8, undo.
Scaling is exact: it changes the float fields of blocks by a power of two.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import UnsupportedError
from harness.core.formats import dequantize, quantize
from harness.core.formats.table import BY_NAME
from harness.core.gguf import GgufFile, TensorInfo, open_gguf
from harness.core.gguf.writer import TensorSource, Value, write_gguf

SLICES = 8
EXPERTS = 2 * SLICES
ROUTER_SCALE = 1e-5
_F32 = BY_NAME["F32"]
_FLOAT_FIELDS = {"Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,)}
_PLAIN = ("F32", "F16", "BF16")

Rows = NDArray[np.uint8]


def derive_mixture(dense: Path, out: Path, seed: int = 0) -> None:
    """Write to `out` the mixture derived from the dense `llama` model in `dense`; `seed` decides the routing.

    Errors: UnsupportedError for a model that is not dense, or whose widths or formats cannot be cut exactly.
    """
    with open_gguf(dense) as file:
        if file.metadata.get("general.architecture") != "llama" or "blk.0.ffn_gate.weight" not in file.tensors:
            raise UnsupportedError(f"{dense.name}: a mixture can be derived from a dense llama model only.")
        tensors = [source for tensor in file.tensors.values() for source in _derived(file, tensor, seed)]
        write_gguf(out, _metadata(file), tensors)


def _metadata(file: GgufFile) -> dict[str, Value]:
    n_ff = int(file.metadata["llama.feed_forward_length"]) // SLICES
    return {
        **file.metadata,
        "general.name": f"{file.metadata.get('general.name', 'model')} as a mixture of {EXPERTS} experts",
        "llama.feed_forward_length": n_ff,
        "llama.expert_feed_forward_length": n_ff,
        "llama.expert_count": EXPERTS,
        "llama.expert_used_count": SLICES,
    }


def _derived(file: GgufFile, tensor: TensorInfo, seed: int) -> Iterator[TensorSource]:
    """What becomes of one tensor of the dense model."""
    block, _, role = tensor.name.removesuffix(".weight").rpartition(".")
    if role in {"ffn_gate", "ffn_up"}:
        yield _stacked(file, tensor, (tensor.n_rows // SLICES, tensor.n_columns), _row_slices)
    elif role == "ffn_down":
        _check_down(tensor)
        yield _router(block, tensor.n_rows, seed)
        yield _stacked(file, tensor, (tensor.n_rows, tensor.n_columns // SLICES), _column_slices)
    else:
        yield TensorSource(tensor.name, tensor.format, tensor.shape, lambda: [file.read(tensor.name)])


def _check_down(tensor: TensorInfo) -> None:
    """The hidden width bounds all three matrices, so that of `down` alone needs a check."""
    if tensor.n_columns % (SLICES * tensor.format.block):
        raise UnsupportedError(
            f"{tensor.name} has {tensor.n_columns} columns, which {SLICES} slices of whole {tensor.format.name} blocks "
            "do not fill."
        )
    if tensor.format.name not in (*_FLOAT_FIELDS, *_PLAIN):
        raise UnsupportedError(f"{tensor.name} is {tensor.format.name}, whose scales are not multiplied exactly here.")


def _stacked(
    file: GgufFile, tensor: TensorInfo, shape: tuple[int, int], cut: Callable[[TensorInfo, Rows], Iterable[Rows]]
) -> TensorSource:
    """All experts in one tensor: the slices once, and once again."""
    stem = tensor.name.removesuffix(".weight")

    def chunks() -> Iterator[Rows]:
        slices = list(cut(tensor, file.read(tensor.name)))
        yield from slices
        yield from slices

    return TensorSource(f"{stem}_exps.weight", tensor.format, (EXPERTS, *shape), chunks)


def _row_slices(_tensor: TensorInfo, rows: Rows) -> list[Rows]:
    return np.split(rows, SLICES)


def _column_slices(tensor: TensorInfo, rows: Rows) -> list[Rows]:
    return [scaled(tensor, part) for part in np.split(rows, SLICES, axis=1)]


def scaled(tensor: TensorInfo, rows: Rows) -> Rows:
    """`rows` of the tensor's format with all weights multiplied by 8. Errors: UnsupportedError on overflow."""
    fmt = tensor.format
    if fmt.name in _PLAIN:
        out = quantize(fmt, dequantize(fmt, rows, rows.shape[1] // fmt.block_bytes) * np.float32(SLICES))
    else:
        out = rows.copy()
        blocks = out.reshape(len(rows), -1, fmt.block_bytes)
        for at in _FLOAT_FIELDS[fmt.name]:
            field = np.ascontiguousarray(blocks[..., at : at + 2]).view("<f2")
            with np.errstate(over="ignore"):
                blocks[..., at : at + 2] = (field * np.float16(SLICES)).view(np.uint8)
    if not np.isfinite(dequantize(fmt, out, rows.shape[1] // fmt.block_bytes * fmt.block)).all():
        raise UnsupportedError(f"{tensor.name}: a scale overflows when multiplied by {SLICES}.")
    return out


def _router(block: str, n_embd: int, seed: int) -> TensorSource:
    rng = np.random.default_rng([seed, int(block.removeprefix("blk."))])
    rows = rng.standard_normal((SLICES, n_embd), np.float32) * np.float32(ROUTER_SCALE)
    both = np.concatenate([rows, -rows]).view(np.uint8)
    return TensorSource(f"{block}.ffn_gate_inp.weight", _F32, (EXPERTS, n_embd), lambda: [both])
