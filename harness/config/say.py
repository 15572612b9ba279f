"""Values and cases in words: as the config writes them, so that what is printed can be typed back."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from harness.records.axes import Axes
from harness.records.case import Case, Test


def say(axis: str, value: Any) -> str:
    """One value of an axis."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return f"[{', '.join(format(part, 'g') if isinstance(part, float) else str(part) for part in value)}]"
    return "all" if axis == "layers" and not value else str(value)


def say_tests(tests: Sequence[Test]) -> str:
    return ", ".join(test.label for test in tests)


def labels(cases: Sequence[Case]) -> tuple[str, ...]:
    """A line per case: the model, the axes in which any two differ, the test. Different cases have different lines."""
    names = [field.name for field in fields(Axes)]
    varying = [name for name in names if len({getattr(case.axes, name) for case in cases}) > 1]
    return tuple(_label(case, varying) for case in cases)


def _label(case: Case, varying: Sequence[str]) -> str:
    axes = [f"{name}={say(name, getattr(case.axes, name))}" for name in varying]
    build = [f"build={case.build}"] if case.build else []
    return " ".join([case.model.name, *axes, *build, case.test.label])
