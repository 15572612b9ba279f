"""Sweeps as llama-sweep-bench prints them: its table, which sweep-bench-plot.py reads, and its JSON lines.

One table holds one record's sweep, first line the heading, second the rule: that reader takes a file for a table.
"""

import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.records.record import Record
from harness.records.timing import Row


@dataclass(frozen=True)
class SweepLine:
    """One line of a sweep: PP and TG at a depth, each with its mean time in seconds."""

    pp: int
    tg: int
    n_kv: int
    t_pp: float
    t_tg: float


def sweep_lines(record: Record) -> tuple[SweepLine, ...]:
    """The depths at which both PP and TG were measured, in order."""
    prefills = {row.n_depth: row for row in record.rows if row.n_prompt and not row.n_gen and row.counted}
    decodes = {row.n_depth: row for row in record.rows if row.n_gen and not row.n_prompt and row.counted}
    return tuple(
        SweepLine(prefills[d].n_prompt, decodes[d].n_gen, d, _seconds(prefills[d]), _seconds(decodes[d]))
        for d in sorted(prefills.keys() & decodes.keys())
    )


def sweep_table(record: Record) -> str:
    """One record's sweep as llama-sweep-bench's table."""
    names = ("PP", "TG", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s")
    widths = (6, 6, 6, 8, 8, 8, 8)
    head = "|" + " | ".join(name.rjust(width) for name, width in zip(names, widths, strict=True)) + " |\n"
    rule = "|" + "-|-".join("-" * width for width in widths) + "-|\n"
    return head + rule + "".join(map(_table_line, sweep_lines(record)))


def sweep_jsonl(records: Iterable[Record]) -> str:
    """All sweeps as llama-sweep-bench's JSON lines, with the model and the variant its own lines lack."""
    return "".join(
        json.dumps(entry, ensure_ascii=False) + "\n" for record in sweeps(records) for entry in _entries(record)
    )


def sweeps(records: Iterable[Record]) -> Iterator[Record]:
    """The successful records that hold a sweep."""
    return (record for record in records if record.status == "ok" and record.case.test.kind == "sweep")


def _seconds(row: Row) -> float:
    return statistics.fmean(sample.total_ns for sample in row.counted) / 1e9


def _table_line(line: SweepLine) -> str:
    return (
        f"|{line.pp:6d} | {line.tg:6d} | {line.n_kv:6d} | {line.t_pp:8.3f} | {line.pp / line.t_pp:8.2f}"
        f" | {line.t_tg:8.3f} | {line.tg / line.t_tg:8.2f} |\n"
    )


def _entries(record: Record) -> Iterator[dict[str, object]]:
    axes = record.case.axes
    threads = axes.threads or record.fingerprint.n_cores
    lines = sweep_lines(record)
    for line in lines:
        yield {
            "n_kv_max": lines[-1].n_kv + line.pp,
            "n_batch": axes.batch,
            "n_ubatch": axes.ubatch,
            "flash_attn": int(axes.flash_attn),
            "n_gpu_layers": 99 if axes.device.startswith("cuda:") else 0,
            "n_threads": threads,
            "n_threads_batch": threads,
            "pp": line.pp,
            "tg": line.tg,
            "n_kv": line.n_kv,
            "t_pp": round(line.t_pp, 9),
            "speed_pp": round(line.pp / line.t_pp, 6),
            "t_tg": round(line.t_tg, 9),
            "speed_tg": round(line.tg / line.t_tg, 6),
            "model": record.case.model.label,
            "device": axes.device,
            "engine": axes.engine,
            "split_mode": axes.split_mode,
            "muge": int(axes.merge_up_gate),
            "fused_moe": int(axes.fused_moe),
            **record.foreign,
        }
