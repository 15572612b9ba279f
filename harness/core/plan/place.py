"""Decides the placement: split mode first, then what overrides move, part by part."""

from dataclasses import replace
from math import gcd

from harness.core.errors import PlanError
from harness.core.formats.table import BY_NAME
from harness.core.models.recipe import AttentionPart, Layer, Model, Weight
from harness.core.options import Options
from harness.core.plan.overrides import Overrides
from harness.core.plan.placement import How, LayerPlacement, Part, Placement, whole
from harness.core.plan.shares import checked_weights, in_runs, share_out

ROW_UNIT = 16
"""Rows of a matrix that stay together; kernels take as many at a time."""

BLOCK = 32
"""Activations are quantised in blocks of so many columns, and a block has one device."""


def place(model: Model, options: Options, n_layer: int) -> Placement:
    """Where every part of the first `n_layer` layers goes. Errors: PlanError."""
    mode = _Modes[options.split_mode](model, options, n_layer)
    overrides = Overrides(model, options, n_layer)
    layers = tuple(
        LayerPlacement(
            _moved(mode.attention(i, layer.attention), overrides.attention(i), layer.attention.n_head_kv),
            _moved(mode.feed_forward(i, layer), overrides.feed_forward(i), layer.feed_forward.n_ff),
        )
        for i, layer in enumerate(model.recipe.layers[:n_layer])
    )
    head = _moved(mode.head(), overrides.head(), model.n_vocab)
    overrides.refuse_unmatched()
    return Placement(overrides.embedding() or mode.embedding(), layers, head, overrides.notes)


def _moved(part: Part, device: str | None, total: int) -> Part:
    return part if device is None else whole(device, total)


class _None:
    """Everything on the main device."""

    def __init__(self, model: Model, options: Options, n_layer: int) -> None:
        self._model = model
        self._devices = options.devices
        self._weights = checked_weights(options.tensor_split, len(options.devices))
        self._main = options.devices[options.main_gpu]
        self._n_layer = n_layer

    def embedding(self) -> str:
        return self._main

    def attention(self, layer: int, part: AttentionPart) -> Part:
        return whole(self._device_of(layer), part.n_head_kv)

    def feed_forward(self, index: int, layer: Layer) -> Part:
        return whole(self._device_of(index), layer.feed_forward.n_ff)

    def head(self) -> Part:
        return whole(self._device_of(self._n_layer), self._model.n_vocab)

    def _device_of(self, _layer: int) -> str:
        return self._main


class _Layer(_None):
    """Runs of layers, the head being one more."""

    def embedding(self) -> str:
        return self._device_of(0)

    def _device_of(self, layer: int) -> str:
        return in_runs(self._n_layer + 1, self._devices, self._weights)[layer]


class _Row(_None):
    """Rows of every matrix on all devices, results gathered on the main one. KV heads are rows of K and V."""

    def attention(self, layer: int, part: AttentionPart) -> Part:  # noqa: ARG002  all layers alike
        return self._part("row", part.n_head_kv, 1, self._model.n_embd)

    def feed_forward(self, index: int, layer: Layer) -> Part:  # noqa: ARG002
        return self._part("row", layer.feed_forward.n_ff, BLOCK, self._model.n_embd)

    def head(self) -> Part:
        return self._part("row", self._model.n_vocab, ROW_UNIT)

    def _part(self, how: How, total: int, unit: int, out_total: int = 0) -> Part:
        shares = share_out(total, unit, self._devices, self._weights)
        out_shares = share_out(out_total, ROW_UNIT, self._devices, self._weights) if out_total else ()
        part = Part(how, shares, self._main, out_shares)
        return whole(part.devices[0], total) if len(part.devices) == 1 else part


class _Graph(_Row):
    """Heads and FFN columns on all devices, partial sums reduced twice a layer."""

    def attention(self, layer: int, part: AttentionPart) -> Part:
        unit = _head_unit(part, _column_unit(part.out.weight, f"layer {layer}"))
        return self._part("graph", part.n_head_kv, unit)

    def feed_forward(self, index: int, layer: Layer) -> Part:
        forward = layer.feed_forward
        return self._part("graph", forward.n_ff, _column_unit(forward.down.weight, f"layer {index}"))

    def head(self) -> Part:
        """Every device with a share normalises for itself; one of them gathers."""
        part = self._part("graph", self._model.n_vocab, ROW_UNIT)
        return part if self._main in part.devices or part.how == "whole" else replace(part, main=part.devices[0])


_Modes: dict[str, type[_None]] = {"none": _None, "layer": _Layer, "row": _Row, "graph": _Graph}


def _head_unit(part: AttentionPart, columns: int) -> int:
    """KV heads that stay together, so that their heads' results are whole blocks of `columns`."""
    width = part.n_head // part.n_head_kv * part.head_dim_v
    return columns // gcd(columns, width)


def _column_unit(weight: Weight, where: str) -> int:
    """Columns of `weight` that stay together. Errors: PlanError where no column can be cut off."""
    fmt = BY_NAME[weight.format]
    if fmt.row_header_bytes:
        raise PlanError(
            f"{where}: {weight.name} is {fmt.name}, whose rows begin with a header that all columns share, so split "
            "mode graph cannot give its columns to several devices; use split mode layer or row"
        )
    return max(fmt.block, BLOCK) if fmt.group else BLOCK
