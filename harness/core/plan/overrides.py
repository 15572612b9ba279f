"""What `override_tensor`, `cpu_moe` and `n_cpu_moe` move. A part of a layer moves as one.

The matrices of a part hand each other values that must not leave a device, so a part follows any of its tensors that
is named; two overrides that pull one part apart are refused.
"""

import re
import warnings
from collections.abc import Iterable

from harness.core.errors import PlanError
from harness.core.models.recipe import AttentionPart, DensePart, ExpertsPart, Linear, Model, Weight
from harness.core.options import Options
from harness.core.plan.layout import kind_of


class Overrides:
    """The overrides of one set of options, asked part by part; what a part dragged along is told in `notes`."""

    def __init__(self, model: Model, options: Options, n_layer: int) -> None:
        self._model = model
        self._rules = tuple((_compiled(pattern), device) for pattern, device in options.override_tensor)
        self._matched: set[int] = set()
        self._host_layers = _layers_on_host(model, options, n_layer)
        self._host = next((device for device in options.devices if kind_of(device) == "cpu"), "cpu:0")
        self._dragged: dict[tuple[str, str], list[int]] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for every set of tensors that moved with others."""
        return tuple(
            f"{what} moved to {device} with the rest of its part in {len(layers)} layers"
            for (what, device), layers in self._dragged.items()
        )

    def embedding(self) -> str | None:
        """The device the table is moved to."""
        return self._device_of(self._model.recipe.embedding)

    def head(self) -> str | None:
        """The device the output is moved to."""
        return self._device_of(self._model.recipe.output)

    def attention(self, layer: int) -> str | None:
        """The device that part of the layer is moved to. Errors: PlanError where overrides disagree."""
        return self._part(layer, "attention", _attention_weights(self._model.recipe.layers[layer].attention))

    def feed_forward(self, layer: int) -> str | None:
        """As `attention`; experts that no pattern names may be moved by `cpu_moe` or `n_cpu_moe`."""
        part = self._model.recipe.layers[layer].feed_forward
        moved = self._part(layer, "feed-forward", _feed_forward_weights(part))
        return self._host if moved is None and layer in self._host_layers else moved

    def refuse_unmatched(self) -> None:
        """Errors: PlanError for a pattern that names no tensor of the file."""
        for index, (pattern, device) in enumerate(self._rules):
            names = self._model.file.tensors
            if index not in self._matched and not any(pattern.search(name) for name in names):
                some = ", ".join(list(names)[1:4])
                raise PlanError(f"override {pattern.pattern}={device} matches no tensor; there are {some}, …")

    def _part(self, layer: int, what: str, weights: Iterable[Weight]) -> str | None:
        by_device: dict[str | None, list[str]] = {}
        for weight in weights:
            by_device.setdefault(self._device_of(weight), []).append(weight.name)
        left = by_device.pop(None, [])
        if len(by_device) > 1:
            listed = " and ".join(f"{names[0]} on {device}" for device, names in by_device.items())
            raise PlanError(
                f"layer {layer}: overrides put {listed}, but the {what} part of a layer runs on one device; "
                "let one pattern match them all, such as ffn_(gate|up|down)_exps"
            )
        if not by_device:
            return None
        (device,) = by_device
        matrices = [name for name in left if name.endswith(".weight") and "norm" not in name]
        if matrices:
            self._dragged.setdefault((", ".join(_short(name) for name in matrices), str(device)), []).append(layer)
        return device

    def _device_of(self, weight: Weight) -> str | None:
        names = {weight.name, *(piece.tensor for piece in weight.slices)}
        for index, (pattern, device) in enumerate(self._rules):
            if any(pattern.search(name) for name in names):
                self._matched.add(index)
                return device
        return None


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # what Python may change later
            return re.compile(pattern)
    except re.error as error:
        raise PlanError(f"override {pattern!r} is not a regular expression: {error}") from error


def _layers_on_host(model: Model, options: Options, n_layer: int) -> frozenset[int]:
    """Layers whose experts go to the CPU; dense layers have none, and do not count."""
    mixtures = [i for i in range(n_layer) if isinstance(model.recipe.layers[i].feed_forward, ExpertsPart)]
    if options.cpu_moe:
        return frozenset(mixtures)
    n = min(options.n_cpu_moe, len(mixtures))
    return frozenset(mixtures[:n] if options.n_cpu_moe_from == "first" else mixtures[len(mixtures) - n :])


def _attention_weights(part: AttentionPart) -> list[Weight]:
    linears = (part.qkv.q, part.qkv.k, part.qkv.v, part.out)
    return _present(part.norm, part.q_norm, part.k_norm, part.sinks, *_both(linears))


def _feed_forward_weights(part: DensePart | ExpertsPart) -> list[Weight]:
    linears = (part.gate_up.gate, part.gate_up.up, part.down)
    router = (part.router,) if isinstance(part, ExpertsPart) else ()
    return _present(part.norm, *_both((*router, *linears)))


def _both(linears: Iterable[Linear]) -> list[Weight | None]:
    return [weight for linear in linears for weight in (linear.weight, linear.bias)]


def _present(*weights: Weight | None) -> list[Weight]:
    return [weight for weight in weights if weight is not None]


def _short(name: str) -> str:
    return re.sub(r"^blk\.\d+\.|\.weight$", "", name)
