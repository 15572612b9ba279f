"""Where the time of a row goes, operation by operation, beside what the machine can do at most.

Shares of time are of the operations' sum; the row's own time, taken without timing them, stands in the caption.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records.profile import CaseProfile, OpTime, RowProfile
from harness.records.record import Limits
from harness.report import numbers
from harness.report.matching import matching
from harness.report.table import Cell, Column, Table, nothing, number, words


@dataclass(frozen=True)
class OpShare:
    """All operations of one name over one repetition. `bandwidth_share`, `rate_share`: of the best limit, if known."""

    name: str
    calls: int
    ns: int
    time_share: float
    bytes: float
    macs: float
    bytes_per_s: float
    macs_per_s: float
    bandwidth_share: float | None
    rate_share: float | None


def op_shares(row: RowProfile, limits: Limits) -> tuple[OpShare, ...]:
    """By name, the longest first; `limits` are those the row may be held against."""
    by_name: dict[str, list[OpTime]] = {}
    for op in row.ops:
        by_name.setdefault(op.name, []).append(op)
    total_ns = sum(op.ns for op in row.ops)
    bandwidth, rate = (max(found.values(), default=0.0) for found in (limits.bandwidth, limits.rate))
    found = [_share(name, ops, total_ns, bandwidth, rate) for name, ops in by_name.items()]
    return tuple(sorted(found, key=lambda share: -share.ns))


def profile_table(profile: CaseProfile, row: RowProfile, limits: Limits) -> Table:
    """One line per kind of operation, and their sum."""
    shares = op_shares(row, matching(limits, profile.case.axes))
    heads = ("calls", "time", "share", "bytes", "MACs", "moved", "of bandwidth", "multiplied", "of rate")
    columns = (Column("op", "text"), *map(Column, heads))
    return Table("ops", caption(row, shares), columns, (*map(_line, shares), _sum_line(shares)))


def caption(row: RowProfile, shares: Sequence[OpShare]) -> str:
    """What one repetition takes with and without its operations being timed."""
    timed = numbers.duration(sum(share.ns for share in shares))
    return f"{row.test}: {timed} in operations, {numbers.duration(row.plain_ns)} untimed, median of {row.n_runs}"


def limits_line(limits: Limits) -> str:
    """Against what the shares stand."""
    best = [
        (f"{max(found.values()) / 1e9:.1f} {unit} ({max(found, key=lambda name: found[name])})")
        for found, unit in ((dict(limits.bandwidth), "GB/s"), (dict(limits.rate), "GMAC/s"))
        if found
    ]
    return f"Limits: {', '.join(best)}." if best else "The machine's limits are not known."


def _share(name: str, ops: Sequence[OpTime], total_ns: int, bandwidth: float, rate: float) -> OpShare:
    ns = sum(op.ns for op in ops)
    moved, macs = sum(op.bytes for op in ops), sum(op.macs for op in ops)
    per_second = 1e9 / ns if ns else 0.0
    return OpShare(
        name=name,
        calls=sum(op.calls for op in ops),
        ns=ns,
        time_share=ns / total_ns if total_ns else 0.0,
        bytes=moved,
        macs=macs,
        bytes_per_s=moved * per_second,
        macs_per_s=macs * per_second,
        bandwidth_share=moved * per_second / bandwidth if bandwidth and moved else None,
        rate_share=macs * per_second / rate if rate and macs else None,
    )


def _line(share: OpShare) -> tuple[Cell, ...]:
    return (
        words(share.name),
        number(share.calls, numbers.count(share.calls)),
        number(share.ns, numbers.duration(share.ns)),
        number(share.time_share, numbers.percent(share.time_share)),
        *_amounts(share.bytes, share.macs),
        *_speed(share.bytes_per_s, "B/s", share.bandwidth_share),
        *_speed(share.macs_per_s, "MAC/s", share.rate_share),
    )


def _sum_line(shares: Sequence[OpShare]) -> tuple[Cell, ...]:
    ns = sum(share.ns for share in shares)
    calls = sum(share.calls for share in shares)
    sums = (sum(share.bytes for share in shares), sum(share.macs for share in shares))
    return (
        words("all"),
        number(calls, numbers.count(calls)),
        number(ns, numbers.duration(ns)),
        number(1.0, numbers.percent(1.0)),
        *_amounts(*sums),
        *[nothing()] * 4,
    )


def _amounts(n_bytes: float, macs: float) -> tuple[Cell, Cell]:
    return (
        number(n_bytes, numbers.size(n_bytes)) if n_bytes else nothing(),
        number(macs, numbers.si(macs, "MAC")) if macs else nothing(),
    )


def _speed(per_s: float, unit: str, share: float | None) -> tuple[Cell, Cell]:
    if not per_s:
        return nothing(), nothing()
    return number(per_s, numbers.si(per_s, unit)), nothing() if share is None else number(share, numbers.percent(share))
