"""Memory at its peak, beside the model's size: a merge may move bytes, it must not add any."""

from harness.report import numbers
from harness.report.blocks import Section
from harness.report.speeds import is_valid
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import Group


def section(group: Group) -> Section | None:
    """One row per variant: the highest peak over its cases; None where nothing was read."""
    rows = []
    for variant in group.variants:
        records = [record for record in group.of(variant) if is_valid(record)]
        loads = [record.load for record in records if record.load is not None]
        rss = max((r.rss_peak_bytes for r in records if r.rss_peak_bytes is not None), default=None)
        vram = max((r.vram_peak_bytes for r in records if r.vram_peak_bytes is not None), default=None)
        size = loads[0].model_size if loads else None
        if rss is None and vram is None and not size:
            continue
        parameters = loads[0].model_n_params if loads else None
        rows.append(
            (
                words(variant.label, variant=variant.index),
                _size(rss),
                _size(vram),
                _size(size),
                number(parameters, numbers.si(parameters, "")) if parameters else nothing(),
                number(rss / size, numbers.factor(rss / size)) if rss and size else nothing(),
            )
        )
    if not rows:
        return None
    heads = ("RAM peak", "GPU memory peak", "model size", "parameters", "RAM over model")
    columns = (Column("variant", "text"), *map(Column, heads))
    table = Table(f"{group.key}-memory-table", "Highest over the cases of each variant", columns, tuple(rows))
    return Section(f"{group.key}-memory", "Memory", "Memory", (table,))


def _size(n_bytes: int | None) -> Cell:
    return nothing() if n_bytes is None else number(n_bytes, numbers.size(n_bytes))
