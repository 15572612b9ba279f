"""What `harness model info` prints. Names come from the file, so nothing in them may reach the terminal's controls."""

from collections.abc import Iterator

from harness.config.problems import printable
from harness.core.models.describe import ModelInfo
from harness.core.plan.text import format_bytes, format_layers, format_table


def format_info(info: ModelInfo) -> str:
    """A file in a page of text: sizes, formats by role, what would merge."""
    facts = format_table(list(_facts(info)))
    formats = format_table([("tensor", "format"), *((role, ", ".join(names)) for role, names in info.formats.items())])
    merges = format_table([("merge", "", "layers", "why"), *_merges(info)])
    return printable_lines("\n".join([*facts, "", *formats, "", *merges]))


def printable_lines(text: str) -> str:
    """`text` with its line breaks and nothing else that moves a cursor."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _facts(info: ModelInfo) -> Iterator[tuple[str, ...]]:
    yield "name", info.name.replace("\n", " ")
    yield "files", ", ".join(info.files)
    experts = f", {info.n_expert} experts, {info.top_k} per token" if info.n_expert else ", dense"
    yield "architecture", f"{info.arch}, {info.n_layer} layers, width {info.n_embd}{experts}"
    bits = 8 * info.size_bytes / max(1, info.n_params)
    yield "size", f"{format_bytes(info.size_bytes)}, {info.n_params:,} parameters, {bits:.2f} bits each"
    yield "vocabulary", f"{info.n_vocab:,} tokens"
    yield "context", f"{info.n_ctx_train:,} positions in training"


def _merges(info: ModelInfo) -> Iterator[tuple[str, ...]]:
    layers: dict[tuple[str, bool, str], list[int]] = {}
    for merge in info.merges:
        layers.setdefault((merge.kind, merge.done, merge.reason), []).append(merge.layer)
    for (kind, done, reason), numbers in layers.items():
        yield kind, "yes" if done else "no", format_layers(numbers), reason
