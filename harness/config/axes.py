"""The axes of the matrix: what each may be, one row per field of `harness.records.axes.Axes`.

A list expands. Axes that hold several things at once (`tensor_split`, `override_tensor`) take one list as one value
and a list of lists as several.
"""

import re
import warnings
from dataclasses import dataclass
from typing import Any

from harness.config.groups import Field, ListOf, OneOrMany, Record
from harness.config.guess import nearest
from harness.config.kinds import Choice, Flag, Kind, Mismatch, Number, ScalarKind, Schema, Whole
from harness.config.nodes import Node, ScalarNode, SequenceNode, as_switch
from harness.config.place import Place
from harness.config.units import MAX_TOKENS

ENGINES = ("core", "fake", "ik_wheel", "xllamacpp", "llama_bench", "ik_wheel_second_context")
DEVICE = r"(?:cpu|cuda|cuda-emulated):[0-9]{1,3}|reference|reference-q8"
_KINDS = ("cpu", "cuda", "cuda-emulated", "reference", "reference-q8")


@dataclass(frozen=True)
class Device(ScalarKind[str]):
    """`auto`, one device, or several joined by commas without spaces."""

    wanted: str = "a device such as auto, cpu:0, cuda:0, reference or cuda:0,cuda:1"

    def convert(self, node: ScalarNode) -> str:
        if re.fullmatch(rf"auto|(?:{DEVICE})(?:,(?:{DEVICE}))*", node.text):
            return node.text
        kind, colon, number = node.text.partition(":")
        guess = nearest({"gpu": "cuda"}.get(kind, kind), (*_KINDS, "auto"))
        suffix = "" if guess in {None, "auto", "reference", "reference-q8"} else f":{number if colon else 0}"
        fits = guess and re.fullmatch(rf"auto|{DEVICE}", guess + suffix)
        raise self.unexpected(node, *([f"did you mean {guess}{suffix}?"] if fits else []))

    def schema(self) -> Schema:
        return {"type": "string", "pattern": rf"^(?:auto|(?:{DEVICE})(?:,(?:{DEVICE}))*)$"}


@dataclass(frozen=True)
class Engine(ScalarKind[str]):
    """An engine; `llama_bench:NAME` means the executable of that name under `peers`."""

    wanted: str = "an engine"

    def convert(self, node: ScalarNode) -> str:
        base, colon, peer = node.text.partition(":")
        if colon and (base != "llama_bench" or not peer):
            raise self.unexpected(node, "only llama_bench takes a name, that of an executable under peers")
        Choice(ENGINES, {"llama-bench": "llama_bench"}).convert(ScalarNode(node.mark, base))
        return node.text

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": list(ENGINES)}, {"type": "string", "pattern": "^llama_bench:.+$"}]}


@dataclass(frozen=True)
class Several(Kind[tuple[tuple[Any, ...], ...]]):
    """Values that are themselves lists: one list is one value, a list of lists is several, [] is none of them."""

    kind: ScalarKind[Any]

    def read(self, node: Node, place: Place) -> tuple[tuple[Any, ...], ...] | None:
        if not isinstance(node, SequenceNode):
            one = self.kind.read(node, place)
            return None if one is None else ((one,),)
        if node.items and all(isinstance(item, SequenceNode) for item in node.items):
            lists = [self._one(item, place.item(i)) for i, item in enumerate(node.items)]
            return tuple(value for value in lists if value is not None)
        value = self._one(node, place)
        return None if value is None else (value,)

    def _one(self, node: Node, place: Place) -> tuple[Any, ...] | None:
        if isinstance(node, SequenceNode) and not node.items:
            return ()
        return ListOf(self.kind, "a list", most=256).read(node, place)

    def schema(self) -> Schema:
        one = {"type": "array", "items": self.kind.schema()}
        return {"anyOf": [self.kind.schema(), one, {"type": "array", "items": one}]}


@dataclass(frozen=True)
class Override(ScalarKind[str]):
    """`PATTERN=DEVICE`, the pattern a regular expression over tensor names."""

    wanted: str = "PATTERN=DEVICE such as 'ffn_.*_exps=cpu:0'"

    def convert(self, node: ScalarNode) -> str:
        pattern, equals, device = node.text.rpartition("=")
        if not equals or not pattern or not device:
            raise self.unexpected(node)
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):  # what Python may change later
                re.compile(pattern)
        except re.error as error:
            raise Mismatch(f"'{pattern}' is not a regular expression: {error}") from None
        return node.text

    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^.+=.+$"}


@dataclass(frozen=True)
class ExpertCopy(ScalarKind[str]):
    """`off`, `auto`, or a number of tokens; text in any case, so that it is printed as it is typed."""

    wanted: str = f"off, auto or a whole number from 1 to {MAX_TOKENS} tokens"

    def convert(self, node: ScalarNode) -> str:
        if node.text == "auto":
            return "auto"
        if as_switch(node) is False:
            return "off"
        try:
            return str(_TOKENS.convert(node))
        except Mismatch:
            guess = nearest(node.text, ("off", "auto"))
            raise self.unexpected(node, *([f"did you mean {guess}?"] if guess else [])) from None

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": [False, "off", "no", "auto"]}, _TOKENS.schema()]}


_TOKENS = Whole(1, MAX_TOKENS, "tokens")
_KV = Choice(("f16", "q8_0"))

AXES: dict[str, Field] = {
    "engine": Field(OneOrMany(Engine()), "what does the work: the built-in core or a peer"),
    "device": Field(OneOrMany(Device()), "auto takes cuda:0 if it is usable, else cpu:0, and says why"),
    "split_mode": Field(
        OneOrMany(Choice(("none", "layer", "row", "graph"), {"tensor": "graph"})), "how a model is spread over devices"
    ),
    "tensor_split": Field(Several(Number(1e6)), "share of each device, one number per device"),
    "main_gpu": Field(OneOrMany(Whole(0, 63)), "the device that gathers results"),
    "override_tensor": Field(Several(Override()), "tensors whose name matches go to a device"),
    "cpu_moe": Field(OneOrMany(Flag()), "experts of all layers on the CPU"),
    "n_cpu_moe": Field(OneOrMany(Whole(0, 10_000, "layers")), "experts of so many layers on the CPU"),
    "n_cpu_moe_from": Field(
        OneOrMany(Choice(("first", "last"))), "from which end those layers are counted; later ones use fewer experts"
    ),
    "expert_copy": Field(
        OneOrMany(ExpertCopy()),
        "from how many tokens of a ubatch on a GPU multiplies experts that lie on the CPU, copying those that are used",
    ),
    "reduce_type": Field(
        OneOrMany(Choice(("f32", "f16", "bf16"))),
        "what partial sums are rounded to between devices in split mode graph",
    ),
    "merge_up_gate": Field(OneOrMany(Flag()), "merge ffn_up_exps and ffn_gate_exps at load"),
    "merge_qkv": Field(OneOrMany(Flag()), "merge attn_q, attn_k and attn_v at load"),
    "merge_up_gate_shared": Field(OneOrMany(Flag()), "merge up and gate of shared experts and dense layers at load"),
    "fused_moe": Field(OneOrMany(Flag()), "up, gate and activation of the experts in one operation"),
    "moe_path": Field(OneOrMany(Choice(("grouped", "per_expert"))), "all experts in one product, or one after another"),
    "layout": Field(
        OneOrMany(Choice(("auto", "packed", "packed_small", "mapped"))),
        "weights re-laid for the kernels, or the file's",
    ),
    "ubatch": Field(OneOrMany(_TOKENS), "tokens per forward pass"),
    "batch": Field(OneOrMany(_TOKENS), "tokens per call"),
    "threads": Field(OneOrMany(Whole(0, 4096)), "CPU threads, 0 for every usable core"),
    "type_k": Field(OneOrMany(_KV), "type of the keys in the KV cache"),
    "type_v": Field(OneOrMany(_KV), "type of the values in the KV cache"),
    "flash_attn": Field(OneOrMany(Flag()), "attention in one pass over the KV cache"),
    "tokens": Field(OneOrMany(Choice(("random", "text"))), "random token ids, or real text in the file's vocabulary"),
    "cache": Field(OneOrMany(Choice(("warm", "cold"))), "whether the file is in the page cache when it is loaded"),
    "layers": Field(OneOrMany(Whole(1, 10_000, "layers", {"all": 0})), "keep only the first layers"),
    "repack": Field(OneOrMany(Flag()), "peers: -rtr"),
    "mmap": Field(OneOrMany(Flag()), "peers: -mmp"),
}

ALIASES = {"muge": "merge_up_gate", "mqkv": "merge_qkv", "fmoe": "fused_moe"}

FOREIGN = {
    "b": "batch",
    "cpu_mask": "threads",
    "ctk": "type_k",
    "ctv": "type_v",
    "dev": "device",
    "devices": "device",
    "fa": "flash_attn",
    "mg": "main_gpu",
    "mmp": "mmap",
    "n_batch": "batch",
    "n_threads": "threads",
    "n_ubatch": "ubatch",
    "ncmoe": "n_cpu_moe",
    "ot": "override_tensor",
    "rtr": "repack",
    "sm": "split_mode",
    "t": "threads",
    "ts": "tensor_split",
    "ub": "ubatch",
    "use_mmap": "mmap",
}
"""llama-bench's names of axes, for the hint only."""

MATRIX = Record(AXES, ALIASES, FOREIGN, "a mapping of axes")
