"""Share of the limit: what each row moved and multiplied per second, over what this machine did at most."""

from harness.records.record import Limits
from harness.report import numbers
from harness.report.blocks import Fold, Prose, Row, Section
from harness.report.charts import Bar, BarChart
from harness.report.matching import matching
from harness.report.speeds import PHASE_NAME, PHASES, Speed, curve
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import Group, Variant


def section(group: Group) -> Section | None:
    """Bars at the shallowest depth and a table of every depth; None where limits or work are not known."""
    known = [(v, speed) for v in group.variants for phase in PHASES for speed in curve(group.of(v), phase)]
    known = [(v, speed) for v, speed in known if speed.row.bytes_per_token or speed.row.macs_per_token]
    if not known or all(_limits(group, variant) == Limits() for variant in group.variants):
        return None
    note = (
        "Each share is of the limit named, measured in this session with as many threads as the row had; above 100 %, "
        "the code measured was faster."
    )
    chart = _chart(group, known)
    blocks = (
        Row((chart,), chart.table()),
        Fold("Every depth and every limit", (_table(group, known),)),
        Prose(note, "quiet"),
    )
    return Section(f"{group.key}-limits", "Share of the limit", "Limits", blocks)


def shares(speed: Speed, limits: Limits) -> dict[str, float]:
    """Share of every bandwidth and rate by name, as far as the row says its work."""
    moved, multiplied = speed.row.bytes_per_token, speed.row.macs_per_token
    bandwidth = {f"bandwidth: {name}": (moved, limit) for name, limit in limits.bandwidth.items()}
    rate = {f"rate: {name}": (multiplied, limit) for name, limit in limits.rate.items()}
    known = (bandwidth | rate).items()
    return {name: speed.tokens_per_s * work / limit for name, (work, limit) in known if work and limit}


def tightest(speed: Speed, limits: Limits) -> float | None:
    """The share of the limit that binds: the best bandwidth or the best rate, whichever is used more."""
    found = [share for share in _of_best(speed, limits) if share is not None]
    return max(found) if found else None


def _of_best(speed: Speed, limits: Limits) -> tuple[float | None, float | None]:
    moved, multiplied = speed.row.bytes_per_token, speed.row.macs_per_token
    best_bandwidth, best_rate = (max(found.values(), default=0) for found in (limits.bandwidth, limits.rate))
    return (
        speed.tokens_per_s * moved / best_bandwidth if moved and best_bandwidth else None,
        speed.tokens_per_s * multiplied / best_rate if multiplied and best_rate else None,
    )


def _limits(group: Group, variant: Variant) -> Limits:
    """The limits a variant may be held against."""
    records = group.of(variant)
    return next((found for r in records if (found := matching(r.limits, r.case.axes)) != Limits()), Limits())


def _chart(group: Group, known: list[tuple[Variant, Speed]]) -> BarChart:
    first: dict[tuple[str, int], tuple[Variant, Speed]] = {}
    for variant, speed in known:
        first.setdefault((speed.phase, variant.index), (variant, speed))
    groups = []
    for kind, place in (("memory bandwidth", 0), ("multiply rate", 1)):
        for phase in PHASES:
            bars = [
                _bar(v, _of_best(s, _limits(group, v))[place]) for (name, _), (v, s) in first.items() if name == phase
            ]
            if any(bar.value is not None for bar in bars):
                groups.append((f"{PHASE_NAME[phase]}, {kind}", tuple(bars)))
    told = "; ".join(
        f"{name} {bar.label} {bar.value:.0f} %" for name, bars in groups for bar in bars if bar.value is not None
    )
    return BarChart(
        key=f"{group.key}-limits-chart",
        title="Share of the best limit, at the shallowest depth",
        alt=f"Share of what the machine can do at most: {told}.",
        x_label="% of the limit",
        groups=tuple(groups),
        unit=" %",
    )


def _bar(variant: Variant, share: float | None) -> Bar:
    return Bar(variant.label, variant.index, None if share is None else share * 100)


def _table(group: Group, known: list[tuple[Variant, Speed]]) -> Table:
    found = [(variant, speed, shares(speed, _limits(group, variant))) for variant, speed in known]
    names = list(dict.fromkeys(name for _, _, share in found for name in share))
    columns = (
        Column("variant", "text"),
        Column("test", "text"),
        Column("moved"),
        Column("multiplied"),
        *map(Column, names),
    )
    rows = tuple(
        (
            words(variant.label, variant=variant.index),
            words(speed.row.test),
            _per_second(speed, speed.row.bytes_per_token, "B/s"),
            _per_second(speed, speed.row.macs_per_token, "MAC/s"),
            *(_share(share.get(name)) for name in names),
        )
        for variant, speed, share in found
    )
    return Table(f"{group.key}-limits-table", "Share of each limit", columns, rows)


def _per_second(speed: Speed, per_token: int | None, unit: str) -> Cell:
    value = None if per_token is None else speed.tokens_per_s * per_token
    return nothing() if value is None else number(value, numbers.si(value, unit))


def _share(share: float | None) -> Cell:
    return nothing() if share is None else number(share, numbers.percent(share))
