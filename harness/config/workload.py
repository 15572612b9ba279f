"""The `tests` of a config: sweep, pp, tg, pg and load, as records in llama-bench's terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.groups import Field, ListOf, OneOrMany, Record
from harness.config.kinds import Kind, Quantity, Schema, Whole
from harness.config.nodes import MappingNode, Node, ScalarNode, SequenceNode, as_int, describe
from harness.config.place import Place
from harness.config.units import MAX_TOKENS, RANGE, token_range
from harness.records.case import Test

KINDS = ("sweep", "pp", "tg", "pg", "load")
_TOKENS = Whole(1, MAX_TOKENS, "tokens")
_WANTED = "a test: sweep, pp, tg, pg or load"


@dataclass(frozen=True)
class Depths(Kind[tuple[int, ...]]):
    """Tokens already in the KV cache: a number, a list, or a range; always ascending."""

    def read(self, node: Node, place: Place) -> tuple[int, ...] | None:
        if isinstance(node, ScalarNode) and as_int(node) is None:
            return Quantity(token_range, RANGE, "tokens or a range such as 0..30720/2048").read(node, place)
        many = OneOrMany(Whole(0, MAX_TOKENS, "tokens")).read(node, place)
        return None if many is None else tuple(sorted(many))

    def schema(self) -> Schema:
        number = OneOrMany(Whole(0, MAX_TOKENS, "tokens")).schema()
        return {"anyOf": [*number["anyOf"], {"type": "string", "pattern": RANGE}]}


@dataclass(frozen=True)
class Pairs(Kind[tuple[tuple[int, int], ...]]):
    """`[512, 128]`: prompt, then generated tokens; a list of pairs is several tests."""

    def read(self, node: Node, place: Place) -> tuple[tuple[int, int], ...] | None:
        if not isinstance(node, SequenceNode) or not node.items:
            return place.fail(node, f"expected [PROMPT, GENERATED] such as [512, 128], found {describe(node)}")
        if not all(isinstance(item, SequenceNode) for item in node.items):
            pair = self._pair(node, place)
            return None if pair is None else (pair,)
        pairs = [self._pair(item, place.item(index)) for index, item in enumerate(node.items)]
        return tuple(pair for pair in pairs if pair is not None)

    def _pair(self, node: Node, place: Place) -> tuple[int, int] | None:
        numbers = ListOf(_TOKENS, "two numbers").read(node, place)
        if numbers is None or not isinstance(node, SequenceNode):
            return None
        if len(node.items) != 2:
            return place.fail(node, f"expected two numbers, prompt and generated tokens, found {len(node.items)}")
        return (numbers[0], numbers[1]) if len(numbers) == 2 else None

    def schema(self) -> Schema:
        pair = {"type": "array", "minItems": 2, "maxItems": 2, "items": _TOKENS.schema()}
        return {"anyOf": [pair, {"type": "array", "minItems": 1, "items": pair}]}


_SWEEP = Record(
    {
        "pp": Field(_TOKENS, "tokens per prompt step", required=True),
        "tg": Field(_TOKENS, "tokens generated at each depth", required=True),
        "n_kv": Field(Depths(), "depths, such as 0..30720/2048", required=True),
    },
    wanted="a mapping such as {pp: 2048, tg: 128, n_kv: 0..30720/2048}",
)

_ITEM = Record(
    {
        "sweep": Field(_SWEEP, "for every depth first tg, then pp, as llama-sweep-bench does"),
        "pp": Field(OneOrMany(_TOKENS), "prompt processing of so many tokens"),
        "tg": Field(OneOrMany(_TOKENS), "generation of so many tokens"),
        "pg": Field(Pairs(), "[prompt, generated] timed together"),
        "depth": Field(Depths(), "tokens already in the KV cache, for pp, tg and pg"),
    },
    foreign={
        "load": "- load (without a colon)",
        "d": "depth",
        "n_depth": "depth",
        "p": "pp",
        "n": "tg",
        "n_prompt": "pp",
        "n_gen": "tg",
    },
    wanted=_WANTED,
)


@dataclass(frozen=True)
class TestItem(Kind[tuple[Test, ...]]):
    """One entry of `tests`; a list in it makes several."""

    __test__ = False  # not a pytest class

    def read(self, node: Node, place: Place) -> tuple[Test, ...] | None:
        if isinstance(node, ScalarNode) and node.text == "load":
            return (Test("load"),)
        given = _ITEM.read(node, place)
        if given is None or not isinstance(node, MappingNode):
            return None
        kinds = [key.text for key, _ in node.entries if key.text in KINDS]
        if len(kinds) != 1:
            return self._one_kind_only(node, kinds, place)
        if kinds[0] == "sweep" and "depth" in given:
            return place.key("depth").fail(node.get("depth") or node, "a sweep has its depths in n_kv")
        return tuple(_tests(kinds[0], given)) if kinds[0] in given else None

    def _one_kind_only(self, node: MappingNode, kinds: Sequence[str], place: Place) -> tuple[Test, ...] | None:
        if kinds:
            return place.fail(node, f"{' and '.join(kinds)} in one test", "begin each with a dash of its own")
        if all(key.text == "depth" for key, _ in node.entries):
            return place.fail(node, "nothing to measure here", f"a test is one of {', '.join(KINDS)}")
        return None

    def schema(self) -> Schema:
        return {"anyOf": [{"const": "load"}, _ITEM.schema()]}


TESTS = ListOf(TestItem(), "a list of tests")


def _tests(kind: str, given: dict[str, Any]) -> list[Test]:
    depths = given.get("depth", (0,))
    value = given[kind]
    if kind == "sweep":
        fits = len(value) == len(_SWEEP.fields)
        return [Test("sweep", value["pp"], value["tg"], value["n_kv"])] if fits else []
    if kind == "pg":
        return [Test("pg", prompt, generated, depths) for prompt, generated in value]
    return [Test("pp", n, 0, depths) if kind == "pp" else Test("tg", 0, n, depths) for n in value]
