"""Where merging begins to pay: its gain in prompt speed against ubatch and against the number of experts.

Only what was measured: nothing is drawn from a formula, and a crossing lies between two points that are certain.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

from harness.records.axes import Axes
from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Prose, Row, Section
from harness.report.charts import Line, LineChart
from harness.report.effects import effect_over
from harness.report.sections.sweep import effect_cell
from harness.report.speeds import Speed, speeds
from harness.report.table import Column, Table, number, words
from harness.report.variants import spoken, written
from harness.stats.paired import PairedResult

Curve = Mapping[int, "Point"]
"""What was measured at each x."""


@dataclass(frozen=True)
class Point:
    """What merging does to one row of a prompt. `model` is its label, `kind` that without the number of experts."""

    model: str
    kind: str
    n_expert: int
    ubatch: int
    setting: str
    sides: tuple[Speed, Speed]

    @property
    def result(self) -> PairedResult:
        """The verdict on merging."""
        return effect_over([self.sides])


def section(records: Sequence[Record]) -> Section | None:
    """Charts, where each curve crosses, and a table; None unless some model was measured at two ubatches."""
    found = points(records)
    by_ubatch = _curves([((p.kind, f"{p.n_expert} experts", p.setting), p.ubatch, p) for p in found])
    by_experts = _curves([((p.kind, f"ubatch {p.ubatch}", p.setting), p.n_expert, p) for p in found])
    if not by_ubatch:
        return None
    drawn = [("ubatch", by_ubatch)] + ([("experts", by_experts)] if by_experts else [])
    told = [Prose(text) for text in (*_over_all(found), *_crossings(drawn))]
    row = Row(tuple(_chart(axis, curves) for axis, curves in drawn))
    title = "Where the merge begins to pay: ubatch and experts"
    return Section("crossover", title, "Crossover", (row, *told, _table(found)), brief=True)


def points(records: Sequence[Record]) -> tuple[Point, ...]:
    """Every row of a prompt that was measured merged and not merged, all else equal, on a mixture of experts."""
    own = [record for record in records if not record.imported_from and _n_expert(record)]
    varying = [f.name for f in fields(Axes) if len({written(getattr(r.case.axes, f.name)) for r in own}) > 1]
    varying = [axis for axis in varying if axis not in {"merge_up_gate", "ubatch"}]
    plain = {_work(record): record for record in own if not record.case.axes.merge_up_gate}
    found: list[Point] = []
    for merged in own:
        base = plain.get(_work(merged)) if merged.case.axes.merge_up_gate else None
        about = [spoken(axis, written(getattr(merged.case.axes, axis))) for axis in varying]
        for before, after in zip(speeds([base]), speeds([merged]), strict=False) if base else ():
            if before.phase == "pp" and before.row.test == after.row.test:
                setting = ", ".join((*about, after.row.test))
                found.append(_point(merged, setting, (before, after)))
    return tuple(found)


def _point(merged: Record, setting: str, sides: tuple[Speed, Speed]) -> Point:
    case = merged.case
    return Point(case.model.label, _kind(merged), _n_expert(merged), case.axes.ubatch, setting, sides)


def crossing(results: Mapping[int, PairedResult], axis: str) -> str:
    """In words, where merging is faster, slower or neither for certain, and between which two points that turns."""
    signs = {x: (result.low > 1) - (result.high < 1) for x, result in sorted(results.items())}
    words_of = {1: "faster", -1: "slower", 0: "not certainly either"}
    told = [
        f"{word} at {axis} {', '.join(str(x) for x, s in signs.items() if s == sign)}"
        for sign, word in words_of.items()
        if sign in signs.values()
    ]
    certain = [(x, sign) for x, sign in signs.items() if sign]
    turns = [
        f"crosses 1 between {axis} {a} and {b}" for (a, before), (b, after) in pairwise(certain) if before != after
    ]
    return "; ".join((*told, *(turns or ["no crossing was measured"])))


def _over_all(found: Sequence[Point]) -> Iterable[str]:
    """For each setting the mean over its points, which is known better than any of them."""
    for setting in dict.fromkeys(point.setting for point in found):
        sides = [point.sides for point in found if point.setting == setting]
        if len(sides) > 1:
            result = effect_over(sides)
            interval = numbers.change_interval(result.low, result.high)
            told = f"{numbers.change(result.ratio)} {interval} %, {result.verdict}"
            yield f"{setting}: over {len(sides)} points together, merging changes speed by {told}."


def _crossings(drawn: Sequence[tuple[str, Mapping[str, Curve]]]) -> Iterable[str]:
    """A sentence for each curve with a certain point, and one for all the others."""
    lines = [(name, axis, _results(curve)) for axis, curves in drawn for name, curve in curves.items()]
    certain = [line for line in lines if any(r.low > 1 or r.high < 1 for r in line[2].values())]
    yield from (f"{name}: {crossing(results, axis)}." for name, axis, results in certain)
    if not certain:
        yield "At none of them alone is merging faster or slower for certain, so no crossing was measured."


def _results(curve: Curve) -> dict[int, PairedResult]:
    return {x: point.result for x, point in curve.items()}


def _curves(placed: Sequence[tuple[tuple[str, ...], int, Point]]) -> dict[str, Curve]:
    """Those of several points, in order of appearance, each named by what tells it from the others."""
    found: dict[tuple[str, ...], dict[int, Point]] = {}
    for names, x, point in placed:
        found.setdefault(names, {})[x] = point
    curves = {names: curve for names, curve in found.items() if len(curve) > 1}
    told = [place for place, same in enumerate(zip(*curves, strict=True)) if len(set(same)) > 1 or len(curves) == 1]
    return {", ".join(names[place] for place in told): curve for names, curve in curves.items()}


def _chart(axis: str, curves: Mapping[str, Curve]) -> LineChart:
    ticks = sorted({x for curve in curves.values() for x in curve})
    lines = tuple(_line(name, index, curve, ticks) for index, (name, curve) in enumerate(curves.items()))
    told = "; ".join(f"{name}: {crossing(_results(curve), axis)}" for name, curve in curves.items())
    return LineChart(
        key=f"crossover-{axis}",
        title=f"What merging changes, by {axis}",
        alt=f"Change of PP speed by merging, in percent, against {axis}. {told}.",
        x_label=axis,
        y_label="PP change, %, with 99 % intervals",
        lines=lines,
        ticks=tuple(map(str, ticks)),
        digits=1,
        around_zero=True,
    )


def _line(name: str, index: int, curve: Curve, ticks: Sequence[int]) -> Line:
    at, results = sorted(curve), _results(curve)
    known = [math.isfinite(results[x].high) for x in at]
    return Line(
        label=name,
        variant=index,
        x=tuple(float(ticks.index(x)) for x in at),
        y=tuple((results[x].ratio - 1) * 100 for x in at),
        low=tuple((results[x].low - 1) * 100 if k else None for x, k in zip(at, known, strict=True)),
        high=tuple((results[x].high - 1) * 100 if k else None for x, k in zip(at, known, strict=True)),
    )


def _table(found: Sequence[Point]) -> Table:
    heads = (Column("model", "text"), Column("row", "text"), Column("experts"), Column("ubatch"))
    rows = tuple(
        (
            words(point.model),
            words(point.setting),
            number(point.n_expert, str(point.n_expert)),
            number(point.ubatch, str(point.ubatch)),
            effect_cell(point.result),
            words(point.result.verdict),
        )
        for point in found
    )
    columns = (*heads, Column("speed, merged over not, 99 % interval"), Column("verdict", "text"))
    return Table("crossover-table", "Merging, at every ubatch and number of experts measured", columns, rows, n_keys=4)


def _work(record: Record) -> tuple[object, ...]:
    """What a merged and an unmerged record have in common."""
    case = record.case
    return record.run, case.model, replace(case.axes, merge_up_gate=False), case.test


def _n_expert(record: Record) -> int:
    """As its router counted them; 0 for a dense model."""
    return max(map(len, record.expert_counts), default=0)


def _kind(record: Record) -> str:
    """The model's label without its number of experts, for a stand-in made with several."""
    model = record.case.model
    if model.stand_in is None:
        return model.label
    return replace(model, name=model.stand_in.preset, stand_in=replace(model.stand_in, n_expert=None)).label
