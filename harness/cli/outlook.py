"""What is expected of each case of a run: the core's plan of it and rough figures, or why there are none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.cli.estimate import Estimate, estimate
from harness.cli.headers import Headers, Planned
from harness.core.errors import CoreError
from harness.core.plan.text import format_bytes, format_table
from harness.records.case import Case


@dataclass(frozen=True)
class Outlook:
    """One case, its number in the run from 1 and its label; `why` says what stands against an estimate."""

    number: int
    case: Case
    label: str
    planned: Planned | None = None
    guess: Estimate | None = None
    why: str = ""


def outlooks(cases: Sequence[Case], labels: Sequence[str]) -> list[Outlook]:
    """One per case, in order."""
    headers = Headers()
    return [
        _outlook(number, case, label, headers)
        for number, (case, label) in enumerate(zip(cases, labels, strict=True), 1)
    ]


def _outlook(number: int, case: Case, label: str, headers: Headers) -> Outlook:
    if case.axes.engine == "fake":
        return Outlook(number, case, label, why="the fake engine's times are its script's")
    try:
        planned = headers.planned(case)
    except CoreError as error:
        return Outlook(number, case, label, why=str(error))
    return Outlook(number, case, label, planned, estimate(case, planned))


def case_table(found: Iterable[Outlook]) -> list[str]:
    """A line per case."""
    rows = [("case", "id", "time", "memory", "what")]
    for outlook in found:
        time_text = f"{outlook.guess.seconds:.0f} s" if outlook.guess else "?"
        memory_text = format_bytes(outlook.guess.memory_bytes) if outlook.guess else "?"
        rows.append((str(outlook.number), outlook.case.case_id, time_text, memory_text, outlook.label))
    return format_table(rows)


def totals(found: Sequence[Outlook]) -> list[str]:
    """The sum in a sentence, and a line per reason for which a case has no estimate."""
    from harness.config.units import say_duration  # noqa: PLC0415

    guesses = [outlook.guess for outlook in found if outlook.guess]
    lines = []
    if guesses:
        took = say_duration(round(sum(guess.seconds for guess in guesses) * 1e9))
        most = format_bytes(max(guess.memory_bytes for guess in guesses))
        lines.append(f"estimated, not measured: {took} in all, at most {most} of memory{_disk(found)}")
    why: dict[str, list[str]] = {}
    for outlook in found:
        if outlook.why:
            why.setdefault(outlook.why, []).append(str(outlook.number))
    return lines + [f"no estimate for case {', '.join(numbers)}: {reason}" for reason, numbers in why.items()]


def _disk(found: Iterable[Outlook]) -> str:
    made = {o.case.model: o.planned.file_bytes for o in found if o.planned and o.case.model.path is None}
    return f", {format_bytes(sum(made.values()))} of disk for what is made once" if made else ""


def copies(found: Iterable[Outlook]) -> list[str]:
    """What becomes of experts on the CPU where `expert_copy` asks for copies: a line per different answer."""
    from harness.core.plan.show import loan_lines  # noqa: PLC0415

    by_answer: dict[str, list[str]] = {}
    for outlook in found:
        for line in loan_lines(outlook.planned.plan) if outlook.planned else ():
            by_answer.setdefault(line, []).append(str(outlook.number))
    return [f"case {', '.join(numbers)}: {line}" for line, numbers in by_answer.items()]


def distinct_plans(found: Iterable[Outlook]) -> list[tuple[str, Planned]]:
    """Every different plan once, headed by the model and the numbers of its cases."""
    by_point: dict[tuple[object, ...], list[Outlook]] = {}
    for outlook in found:
        if outlook.planned:
            by_point.setdefault((outlook.case.model, outlook.case.axes), []).append(outlook)
    return [(_title(same), same[0].planned) for same in by_point.values() if same[0].planned]


def _title(same: Sequence[Outlook]) -> str:
    numbers = ", ".join(str(outlook.number) for outlook in same)
    return f"{same[0].case.model.label}: case{'s' if len(same) > 1 else ''} {numbers}"
