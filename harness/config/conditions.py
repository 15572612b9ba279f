"""`when`: which conditions hold for a model, engine and device, and a sentence about what that leaves out."""

from collections.abc import Iterator

from harness.config.points import Corner, covers_device, matches
from harness.config.say import say, say_tests
from harness.config.types import Condition, Config, Settings
from harness.config.units import say_duration
from harness.records.axes import Axes
from harness.records.case import Note


def corner(config: Config, model: str, engine: str, device: str) -> tuple[Corner, tuple[Note, ...]]:
    """The settings that hold there, and a note per condition that changed some."""
    settings, notes = config.settings, []
    for condition in config.when:
        if _holds(condition, model, engine, device):
            after = settings.changed(condition.changes)
            differences = list(_differences(settings, after))
            if differences:
                notes.append(Note(condition.where, f"left out on {device}: {'; '.join(differences)}"))
            settings = after
    return Corner(model, engine, device, settings), tuple(notes)


def _holds(condition: Condition, model: str, engine: str, device: str) -> bool:
    named = matches(condition.model, model) and matches(condition.engine, engine)
    return named and covers_device(condition.device, device)


def _differences(before: Settings, after: Settings) -> Iterator[str]:
    for name, values in after.axes.items():
        old = before.axes.get(name, (getattr(Axes(), name),))
        if old != values:
            yield f"{name} {_say_all(name, values)} instead of {_say_all(name, old)}"
    if before.tests != after.tests:
        yield f"tests {say_tests(after.tests)} instead of {say_tests(before.tests)}"
    one, other = before.sampling, after.sampling
    if one.time_budget_ns != other.time_budget_ns:
        yield f"time budget {say_duration(other.time_budget_ns)} instead of {say_duration(one.time_budget_ns)}"
    if one.precision != other.precision:
        yield f"precision {100 * other.precision:g} % instead of {100 * one.precision:g} %"
    if one.max_samples != other.max_samples:
        yield f"at most {other.max_samples} samples instead of {one.max_samples}"
    if one.processes != other.processes:
        yield f"{other.processes} processes per side instead of {one.processes}"


def _say_all(name: str, values: tuple[object, ...]) -> str:
    return ", ".join(say(name, value) for value in values)
