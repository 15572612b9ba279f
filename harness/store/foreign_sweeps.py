"""llama-sweep-bench's tables and JSON lines as records: one record per sweep, TG then PP at every depth.

A table prints time and rate, each rounded; the time taken here is one that rounds to both.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test
from harness.records.record import Record
from harness.records.timing import Row, Sample
from harness.store.foreign_markdown import Table, tables
from harness.store.llama_bench_fields import Value
from harness.store.llama_bench_rows import SUMMARY, FlatRow
from harness.store.parsed import sound

_HEADER = re.compile(r"\bn_kv_max = \d+, .*$", re.MULTILINE)
_SETTING = re.compile(r"(\w+) = (-?\d+)")
_COLUMNS = {
    "pp": "PP",
    "tg": "TG",
    "n_kv": "N_KV",
    "t_pp": "T_PP s",
    "speed_pp": "S_PP t/s",
    "t_tg": "T_TG s",
    "speed_tg": "S_TG t/s",
    "rss_hwm_mib": "RSS HWM",
    "vram_delta_mib": "VRAM delta",
}
_LINE = frozenset(_COLUMNS)


def read_sweep_tables(text: str) -> tuple[FlatRow, ...]:
    """The lines of every sweep table, with the settings that the line above it names."""
    return tuple(row for table in tables(text, "N_KV", "S_PP t/s", "S_TG t/s") for row in _lines(text, table))


def sweep_records(rows: Iterable[FlatRow], source: str) -> tuple[Record, ...]:
    """The lines grouped to sweeps: a sweep ends where the settings change or the depth does not grow."""
    return tuple(_record(group, source, number) for number, group in enumerate(_groups(rows), 1))


def is_sweep(row: FlatRow) -> bool:
    """Whether a JSON object is a line of a sweep."""
    return {"n_kv", "speed_pp", "speed_tg"} <= row.fields.keys()


def _lines(text: str, table: Table) -> Iterator[FlatRow]:
    headers = list(_HEADER.finditer(text, 0, table.start))
    settings = {name: int(value) for name, value in _SETTING.findall(headers[-1][0])} if headers else {}
    for shown in table.rows:
        texts = {name: shown[column] for name, column in _COLUMNS.items() if column in shown}
        numbers = {name: float(text) for name, text in texts.items() if re.fullmatch(r"\d+(\.\d+)?", text)}
        if {"pp", "tg", "n_kv", "t_pp", "speed_pp", "t_tg", "speed_tg"} <= numbers.keys():
            times = {half: _time(numbers[half], texts[f"t_{half}"], texts[f"speed_{half}"]) for half in ("pp", "tg")}
            yield FlatRow({**settings, **numbers, "t_pp": times["pp"], "t_tg": times["tg"]})


def _time(tokens: float, time: str, rate: str) -> float:
    """A time in seconds that prints as `time` and whose rate prints as `rate`; the finer of the two if none does."""
    half_t, half_r = _half_digit(time), _half_digit(rate)
    low = max(float(time) - half_t, tokens / (float(rate) + half_r))
    high = min(float(time) + half_t, tokens / (float(rate) - half_r) if float(rate) > half_r else float("inf"))
    if low <= high:
        return (low + high) / 2
    return float(time) if half_t * float(rate) < half_r * float(time) else tokens / float(rate)


def _half_digit(text: str) -> float:
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def _groups(rows: Iterable[FlatRow]) -> Iterator[list[FlatRow]]:
    rows = list(rows)
    cuts = [i for i, (a, b) in enumerate(pairwise(rows), 1) if _settings(a) != _settings(b) or _depth(b) <= _depth(a)]
    for start, end in pairwise([0, *cuts, len(rows)]):
        if rows[start:end]:
            yield rows[start:end]


def _settings(row: FlatRow) -> dict[str, Value]:
    return {name: value for name, value in row.fields.items() if name not in _LINE}


def _depth(row: FlatRow) -> int:
    return int(_number(row, "n_kv"))


def _number(row: FlatRow, name: str) -> float:
    value = row.fields.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _record(group: list[FlatRow], source: str, number: int) -> Record:
    first = group[0]
    pp, tg = int(_number(first, "pp")), int(_number(first, "tg"))
    settings = {name: value for name, value in sound(_settings(first)).items() if value is not None}
    identity = json.dumps([source, number, {k: str(v) for k, v in settings.items()}, pp, tg], sort_keys=True)
    axes = _axes(settings)
    test = Test("sweep", pp, tg, tuple(_depth(row) for row in group))
    model = ModelRef(str(settings.get("model", "unknown model")))
    name = f"imported-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    return Record(
        case=Case(name, "imported", model, axes, test, Sampling()),
        status="ok",
        run="",
        test_time="",
        rows=tuple(made for row in group for made in _rows(row)),
        rss_peak_bytes=_peak(group, "rss_hwm_mib"),
        vram_peak_bytes=_peak(group, "vram_delta_mib"),
        imported_from=source,
        foreign=settings,
    )


def _axes(settings: dict[str, str | int | float | bool]) -> Axes:
    default = Axes()
    whole = {name: value for name, value in settings.items() if isinstance(value, int)}
    on_cpu = whole.get("n_gpu_layers", 1) == 0
    return Axes(
        engine=str(settings.get("engine", "llama_sweep_bench")),
        device=str(settings.get("device", "cpu:0" if on_cpu else "cuda:0")),
        split_mode=str(settings.get("split_mode", "layer")),
        merge_up_gate=bool(whole.get("muge", 0)),
        fused_moe=bool(whole.get("fused_moe", 1)),
        ubatch=whole.get("n_ubatch", default.ubatch),
        batch=whole.get("n_batch", default.batch),
        threads=whole.get("n_threads", 0),
        flash_attn=bool(whole.get("flash_attn", 1)),
    )


def _rows(line: FlatRow) -> Iterator[Row]:
    depth = _depth(line)
    for n_prompt, n_gen, half in ((0, int(_number(line, "tg")), "tg"), (int(_number(line, "pp")), 0, "pp")):
        tokens, speed = n_prompt + n_gen, _number(line, f"speed_{half}")
        seconds = _number(line, f"t_{half}") or (tokens / speed if speed > 0 else 0.0)
        if tokens and seconds > 0:
            yield Row(n_prompt, n_gen, depth, (Sample(0, round(seconds * 1e9), tokens),), stopped_by=SUMMARY)


def _peak(group: list[FlatRow], name: str) -> int | None:
    values = [_number(row, name) for row in group if isinstance(row.fields.get(name), int | float)]
    return round(max(values) * 2**20) if values else None
