"""The keys of a config file, from the top down; the JSON Schema is made from this table and nothing else."""

import re
from dataclasses import dataclass
from typing import Any

from harness.config.axes import ALIASES, AXES, FOREIGN, MATRIX
from harness.config.groups import Field, ListOf, OneOrMany, Record, Script, Table
from harness.config.guess import nearest
from harness.config.kinds import Choice, Kind, Mismatch, Quantity, ScalarKind, Schema, Text, Whole
from harness.config.nodes import MappingNode, Node, ScalarNode
from harness.config.place import Place
from harness.config.stand_in import PRESETS
from harness.config.units import DURATION, SHARE, duration_ns, share
from harness.config.workload import TESTS

_NAME = Text("a name of letters, digits, dots, dashes and underscores", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = Text("a file name or path")
_GLOB = Text("a name, * stands for any text")
_DURATION = Quantity(duration_ns, DURATION, "a duration such as 10 min")
_SHARE = Quantity(share, SHARE, "a share such as 0.5 %")

STAND_IN = Record(
    {
        "preset": Field(Choice(tuple(PRESETS)), "shapes and formats of a known model", required=True),
        "layers": Field(Whole(1, 10_000, "layers"), "keep only so many layers; the vocabulary shrinks alike"),
        "vocab": Field(Whole(32, 1 << 22, "tokens"), "size of the vocabulary"),
        "n_expert": Field(Whole(1, 1024, "experts"), "another number of experts, each of the preset's shape"),
        "seed": Field(Whole(0, (1 << 63) - 1), "seed of the random weights"),
    },
    wanted="a mapping such as {preset: gpt-oss-20b}",
)

_MODEL = Record(
    {
        "gguf": Field(_FILE, "searched beside this file, in $HARNESS_MODELS, in llama.cpp's and Hugging Face's caches"),
        "stand_in": Field(STAND_IN, "used, and labelled, when the file is nowhere"),
        "mixture_of": Field(_FILE, "a dense file from which a mixture with trained weights is derived"),
        "get": Field(Text("a command or an address"), "how to get the file; shown when it is nowhere, never run"),
    },
    foreign={"path": "gguf", "file": "gguf", "model": "gguf", "preset": "stand_in"},
    wanted="a mapping such as {gguf: FILE}",
)


@dataclass(frozen=True)
class ModelKind(Kind[dict[str, Any]]):
    """A model: a file, a stand-in for it, or a mixture made of a dense one. Text alone is the file."""

    def read(self, node: Node, place: Place) -> dict[str, Any] | None:
        if isinstance(node, ScalarNode) and not node.is_null:
            path = _FILE.read(node, place)
            return None if path is None else {"gguf": path}
        given = _MODEL.read(node, place)
        if given is None or not isinstance(node, MappingNode):
            return None
        written = {key.text for key, _ in node.entries}
        if written <= set(_MODEL.fields) and not written & {"gguf", "stand_in", "mixture_of"}:
            return place.fail(node, "no model here", "give gguf, stand_in or mixture_of")
        if "mixture_of" in written and written & {"gguf", "stand_in"}:
            return place.fail(node, "mixture_of stands alone", "make gguf or stand_in a model of its own")
        return given

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, _MODEL.schema()]}


@dataclass(frozen=True)
class DeviceGlob(ScalarKind[str]):
    """A sort of device (`cpu`, `cuda`) or one device (`cuda:1`), for a condition."""

    wanted: str = "a device or a sort of device such as cpu, cuda or cuda:1"
    kinds: tuple[str, ...] = ("cpu", "cuda", "cuda-emulated", "reference", "reference-q8")

    def convert(self, node: ScalarNode) -> str:
        kind, _, number = node.text.partition(":")
        if kind in self.kinds and re.fullmatch(r"[0-9]{0,3}", number):
            return node.text.removesuffix(":")
        guess = nearest({"gpu": "cuda"}.get(kind, kind), self.kinds)
        raise Mismatch(f"expected {self.wanted}, found '{node.text}'", *([f"did you mean {guess}?"] if guess else []))

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^(?:{'|'.join(self.kinds)})(?::[0-9]{{1,3}})?$"}


_CHANGEABLE: dict[str, Field] = {
    "tests": Field(TESTS, "what is measured"),
    "precision": Field(_SHARE, "wanted half-width of the mean's interval, as a share of the mean"),
    "time_budget": Field(_DURATION, "time for all measurements of this config together"),
    "samples": Field(
        Record({"min": Field(Whole(1, 10_000), "fewest"), "max": Field(Whole(1, 10_000), "most")}), "samples per figure"
    ),
    "processes": Field(Whole(1, 100), "fresh processes per side of a comparison, which share samples and time"),
    "deadline": Field(_DURATION, "a case that takes longer is ended"),
    "fake": Field(Script(), "script of the fake engine"),
}
"""What `when` may change beside the axes."""

_SET = Record(
    {name: field for name, field in AXES.items() if name not in {"engine", "device"}} | _CHANGEABLE,
    ALIASES,
    FOREIGN,
    "a mapping of axes, tests, precision, time_budget, samples, processes, deadline or fake",
)

_WHEN = Record(
    {
        "device": Field(DeviceGlob(), "applies on this device or sort of device"),
        "model": Field(_GLOB, "applies to models of this name"),
        "engine": Field(_GLOB, "applies to this engine"),
        "set": Field(_SET, "values that then hold instead", required=True),
    },
    wanted="a mapping such as {device: cpu, set: {layers: 4}}",
)

_POINT = Record(
    {"model": Field(_GLOB, "only models of this name")} | AXES, ALIASES, FOREIGN, "a mapping such as {fused_moe: off}"
)

_MODELS = Table(ModelKind(), _NAME, "models by name: {NAME: {gguf: FILE}}")
_PEERS = Table(_FILE, _NAME, "executables by name: {NAME: PATH}")
_REFERENCE = Field(OneOrMany(Text("the name of a published figure")), "published figures to draw beside ours")
_POINTS = ListOf(_POINT, "a list of points", most=100)

_FIELDS: dict[str, Field] = {
    "name": Field(_NAME, "what run folders and reports are called; the file's name by default"),
    "models": Field(_MODELS, "models: {NAME: {gguf: FILE}}", required=True),
    "matrix": Field(MATRIX, "one value or a list per axis; lists expand to all combinations"),
    "include": Field(_POINTS, "points beside the matrix; axes not named take its first value"),
    "exclude": Field(_POINTS, "points of the matrix that are not measured"),
    "when": Field(ListOf(_WHEN, "a list of conditions", most=100), "other values on some devices, models or engines"),
    "compare": Field(Choice(tuple(AXES), ALIASES), "the axis under comparison; merge_up_gate if it varies"),
    "report": Field(Record({"reference": _REFERENCE}), "what the report shows beside the measurements"),
    "peers": Field(_PEERS, "llama-bench executables for engine llama_bench:NAME"),
}

_FOREIGN = {
    "model": "models",
    "test": "tests",
    "axes": "matrix",
    "pp": "tests: [{pp: 512}]",
    "tg": "tests: [{tg: 128}]",
}

DOCUMENT = Record(
    _FIELDS | _CHANGEABLE,
    foreign=_FOREIGN
    | {name: f"matrix.{axis}" for name, axis in FOREIGN.items()}
    | {name: f"matrix.{name}" for name in (*AXES, *ALIASES)},
    wanted="a mapping with at least models",
)
