"""The PR's tables: PP, TG, N_KV, T_PP s, S_PP t/s, T_TG s, S_TG t/s for each variant, with the ratio beside them."""

from collections.abc import Sequence

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Block, Prose, Section
from harness.report.effects import speed_effect
from harness.report.speeds import Speed, curve
from harness.report.table import Cell, Column, Table, nothing, number
from harness.report.variants import Group, Pair, Variant
from harness.stats.paired import PairedResult

TONES = {"FASTER": "good", "SLOWER": "bad", "SAME": "", "CANNOT TELL": "quiet"}


def section(group: Group) -> Section | None:
    """The tables of every pair; of every variant alone where nothing is compared."""
    blocks: list[Block] = [table for pair in group.pairs if (table := pair_table(group, pair)) is not None]
    if not blocks:
        blocks = [table for v in group.variants if (table := single_table(group, v)) is not None]
    if not blocks:
        return None
    note = "t/s is the mean over samples; a ratio stands with its 99 % interval. N_KV: tokens already in the KV cache."
    return Section(f"{group.key}-sweep", "Speed at every depth", "Speed", (*blocks, Prose(note, "quiet")), brief=True)


def single_table(group: Group, variant: Variant) -> Table | None:
    """One variant's table in the PR's columns; None if it has no sweep."""
    sweep = Sweep(group.of(variant))
    if not sweep.depths:
        return None
    columns = (*_work_columns(), *_measured_columns("", -1))
    rows = tuple((*_work(depth, sweep), *sweep.cells(depth)) for depth in sweep.depths)
    return Table(f"{group.key}-sweep-{variant.index}", variant.label, columns, rows, n_keys=3)


def pair_table(group: Group, pair: Pair) -> Table | None:
    """Both variants' tables side by side and the ratios; None unless both have a sweep."""
    base, other = Sweep(group.of(pair.base)), Sweep(group.of(pair.other))
    depths = [depth for depth in base.depths if depth in other.depths]
    if not depths:
        return None
    ratios = (Column("PP", band="ratio"), Column("TG", band="ratio"))
    columns = (
        *_work_columns(),
        *_measured_columns(pair.base.label, pair.base.index),
        *_measured_columns(pair.other.label, pair.other.index),
        *ratios,
    )
    rows = tuple(
        (
            *_work(depth, base),
            *base.cells(depth),
            *other.cells(depth),
            ratio_cell(base.pp.get(depth), other.pp.get(depth)),
            ratio_cell(base.tg.get(depth), other.tg.get(depth)),
        )
        for depth in depths
    )
    key = f"{group.key}-pair-{pair.base.index}-{pair.other.index}"
    return Table(key, f"{pair.base.label} and {pair.other.label}", columns, rows, n_keys=3)


class Sweep:
    """One variant's rows by depth; empty if the sweep failed or there was none."""

    def __init__(self, records: Sequence[Record]) -> None:
        sweeps = [record for record in records if record.case.test.kind == "sweep"]
        self.pp = {speed.depth: speed for speed in curve(sweeps, "pp")}
        self.tg = {speed.depth: speed for speed in curve(sweeps, "tg")}

    @property
    def depths(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted({*self.pp, *self.tg}))

    def cells(self, depth: int) -> tuple[Cell, ...]:
        """T_PP, S_PP, T_TG, S_TG."""
        return (*_measured(self.pp.get(depth)), *_measured(self.tg.get(depth)))


def ratio_cell(base: Speed | None, other: Speed | None) -> Cell:
    """Speed over speed with its interval; a word where a side was disturbed throughout."""
    if base is None or other is None:
        return nothing()
    return Cell("disturbed") if base.disturbed or other.disturbed else effect_cell(speed_effect(base, other))


def effect_cell(result: PairedResult) -> Cell:
    """A verdict as a cell: the factor and its interval, coloured where it is certain."""
    known = f" [{numbers.fixed(result.low, 3)}, {numbers.fixed(result.high, 3)}]" if result.n_pairs > 1 else ""
    return Cell(f"{numbers.factor(result.ratio)}{known}", result.ratio, TONES[result.verdict])  # type: ignore[arg-type]


def _work_columns() -> tuple[Column, ...]:
    return Column("PP"), Column("TG"), Column("N_KV")


def _measured_columns(band: str, variant: int) -> tuple[Column, ...]:
    return tuple(Column(head, "number", band, variant) for head in ("T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s"))


def _work(depth: int, sweep: Sweep) -> tuple[Cell, ...]:
    pp, tg = sweep.pp.get(depth), sweep.tg.get(depth)
    n_prompt, n_gen = (pp.row.n_prompt if pp else None), (tg.row.n_gen if tg else None)
    return number(n_prompt, str(n_prompt)), number(n_gen, str(n_gen)), number(depth, str(depth))


def _measured(speed: Speed | None) -> tuple[Cell, Cell]:
    if speed is None:
        return nothing(), nothing()
    return (
        number(speed.seconds, numbers.seconds(speed.seconds)),
        number(speed.tokens_per_s, numbers.rate(speed.tokens_per_s)),
    )
