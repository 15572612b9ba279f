"""The pass before timing: an axis that must not change results is proven not to, or no speed is shown.

Which axes those are is decided here and nowhere else.
"""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import CoreError
from harness.engines.protocol import Engine
from harness.engines.stream import equivalence_tokens, token_stream
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case
from harness.records.record import Equivalence
from harness.runner.job import LogitsTask
from harness.stats.equivalence import CLOSE, CLOSE_ACROSS_ENGINES, compare_logits, with_perplexity

EXACT_AXES = frozenset(
    {"merge_up_gate", "merge_qkv", "merge_up_gate_shared", "threads", "cache", "batch", "expert_copy"}
)
"""The core promises the same bits whatever these are; so it does for split modes none and layer."""
FREE_AXES = frozenset({"type_k", "type_v", "layers", "tokens"})
"""What computes something else, or asks something else."""


def changed_axes(a: Axes, b: Axes) -> tuple[str, ...]:
    """The names of the axes in which two cases differ."""
    return tuple(field.name for field in fields(Axes) if getattr(a, field.name) != getattr(b, field.name))


def must_agree(a: Axes, b: Axes) -> bool:
    """Whether the logits of two cases must be the same up to rounding."""
    return not FREE_AXES & set(changed_axes(a, b))


def must_be_identical(a: Axes, b: Axes) -> bool:
    """Whether the core promises the same bits on both sides."""
    changed = set(changed_axes(a, b))
    if {a.split_mode, b.split_mode} <= {"none", "layer"}:
        changed.discard("split_mode")
    return a.engine == b.engine == "core" and changed <= EXACT_AXES


def check_logits(engine: Engine, case: Case, n_vocab: int, task: LogitsTask) -> Equivalence:
    """Compute this side's logits and save them, or compare them with those that lie at `task.path`.

    An engine that has no logits is not checked, with its reason; it is not failed for it.
    """
    tokens, is_text = _tokens(case, n_vocab)
    try:
        logits = engine.logits(tokens.tolist())
    except EngineError as error:
        return Equivalence(against=task.against, note=str(error))
    if task.mode == "save":
        _save(Path(task.path), logits)
        return Equivalence(note="the other side is compared with this one")
    if not Path(task.path).exists():
        return Equivalence(against=task.against, note="the side to compare with has no logits")
    reference = np.load(task.path)
    tolerance = CLOSE_ACROSS_ENGINES if task.other_engine else CLOSE
    found = compare_logits(reference, logits, task.against, tolerance)
    if task.exact and found.verdict == "close":
        found = replace(found, note=f"{found.note}; the same bits were promised")
    return with_perplexity(found, reference, logits, tokens, tolerance) if is_text else found


def _tokens(case: Case, n_vocab: int) -> tuple[NDArray[np.int32], bool]:
    """The fixed stream, and whether it is real text: that is what a real model is asked, whatever the rows are."""
    n_tokens = equivalence_tokens(n_vocab)
    is_real = case.model.path is not None and case.model.stand_in is None and case.axes.engine != "fake"
    if is_real and case.axes.tokens != "text":
        try:
            return token_stream(replace(case, axes=replace(case.axes, tokens="text")), n_vocab, n_tokens), True
        except CoreError:  # a vocabulary that the core cannot read says nothing about the engine
            return token_stream(case, n_vocab, n_tokens), False
    return token_stream(case, n_vocab, n_tokens), case.axes.tokens == "text"


def _save(path: Path, logits: NDArray[np.float32]) -> None:
    """Whole or not at all: a worker may be ended here."""
    temporary = path.with_name(f"{path.stem}.part.npy")
    np.save(temporary, logits)
    temporary.replace(path)
