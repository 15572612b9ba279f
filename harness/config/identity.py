"""What makes a case itself: a stable hash over model, axes and test, blind to how often and where it is measured.

Folders are left out, so that the same config has the same ids on every machine. So is what stands at its default, so
that a new axis changes no old id.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import PurePath
from typing import Any

from harness.records.axes import Axes
from harness.records.case import Case

_FOLLOW = {"engine": ("repack", "mmap", "layout", "moe_path")}
"""Axes that mean something to one engine only: they may differ between the sides of a comparison of engines."""

_DEFAULTS = asdict(Axes())
_FLAGS = tuple(field.name for field in fields(Axes) if field.type is bool)


def case_id(case: Case) -> str:
    """Twelve hexadecimal digits."""
    return _digest(_content(case))


def compared_axis(cases: Sequence[Case], asked: str) -> str:
    """The axis under comparison: `asked` if it varies, else merge_up_gate, else the first switch that is off and on."""
    varying = [name for name in _FLAGS if len({getattr(case.axes, name) for case in cases}) > 1]
    if asked:
        return asked if len({getattr(case.axes, asked) for case in cases}) > 1 else ""
    return "merge_up_gate" if "merge_up_gate" in varying else next(iter(varying), "")


def with_comparison(case: Case, axis: str) -> Case:
    """`case` with the key that it shares with those that differ in `axis` alone; "" where nothing is compared."""
    if not axis:
        return case
    content = _content(case)
    content["axes"] = {name: v for name, v in content["axes"].items() if name not in {axis, *_FOLLOW.get(axis, ())}}
    if axis == "engine":
        content["peer"] = ""
    return replace(case, comparison=f"{axis}:{_digest(content)}")


def _content(case: Case) -> dict[str, Any]:
    model, peer = asdict(case.model), PurePath(case.peer_binary).name
    for key in ("path", "mixture_of"):
        model[key] = PurePath(model[key]).name if model[key] else None
    if case.model.stand_in is not None and case.model.stand_in.n_expert is None:
        del model["stand_in"]["n_expert"]
    axes = {name: value for name, value in asdict(case.axes).items() if value != _DEFAULTS[name]}
    return {"model": model, "axes": axes, "test": asdict(case.test), "fake": case.fake, "peer": peer}


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
