"""A record as llama-bench would print it: one flat row per measurement, under llama-bench's names.

Only what was measured is shown: a case that failed or gave wrong results has no row, and a stand-in's row names the
stand-in as its model. Fields an imported record came with are given back as they were.
"""

import math
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from harness.records.axes import Axes
from harness.records.record import Record
from harness.records.timing import Row
from harness.store.llama_bench_fields import Value

SUMMARY = "imported summary"
"""`Row.stopped_by` of an imported row that came without samples: its one sample is the file's average."""

_VARIANT = (
    ("merge_up_gate", "muge", False),
    ("merge_qkv", "mqkv", False),
    ("merge_up_gate_shared", "mugs", False),
    ("fused_moe", "fmoe", True),
    ("repack", "rtr", False),
    ("moe_path", "", "grouped"),
    ("layout", "", "auto"),
    ("tokens", "", "random"),
    ("cache", "", "warm"),
    ("layers", "layers", None),
)


@dataclass(frozen=True)
class FlatRow:
    """One llama-bench row: its scalar fields and, where the samples are known, each repetition's time and rate."""

    fields: dict[str, Value]
    samples_ns: tuple[int, ...] = ()
    samples_ts: tuple[float, ...] = ()


def flatten(records: Iterable[Record]) -> tuple[FlatRow, ...]:
    """Every measured row of every successful record. Load tests have no llama-bench row and are left out."""
    return tuple(
        _flat_row(record, row)
        for record in records
        if record.status == "ok"
        for row in record.rows
        if row.counted and row.n_prompt + row.n_gen
    )


def variant(axes: Axes) -> str:
    """The axes llama-bench has no key for, where they differ from the default: `muge=1 fmoe=0 per_expert`."""
    chosen = ((flag, getattr(axes, name)) for name, flag, default in _VARIANT if getattr(axes, name) != default)
    return " ".join(f"{flag}={int(value)}" if flag else str(value) for flag, value in chosen)


def commit_of(record: Record) -> str:
    """The engine's commit where it has one, else the harness's; never empty, for readers count on its length."""
    known = record.imported_from or re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?", record.build_commit)
    commit = (record.build_commit if known else record.harness_commit) or record.build_commit or "unknown"
    return re.sub(r"^([0-9a-f]{8})[0-9a-f]{4,32}(?=$|-dirty$)", r"\1", commit)


def summary(rates: tuple[float, ...], times_ns: tuple[int, ...]) -> dict[str, Value]:
    """Mean and sample standard deviation (n - 1; 0 for one repetition) of times and rates, as llama-bench has them."""
    several = len(rates) > 1
    return {
        "avg_ns": round(statistics.fmean(times_ns)),
        "stddev_ns": round(statistics.stdev(times_ns)) if several else 0,
        "avg_ts": round(statistics.fmean(rates), 6),
        "stddev_ts": round(statistics.stdev(rates), 6) if several else 0.0,
    }


def record_fields(record: Record) -> dict[str, Value]:
    """The fields that all rows of a record share: build, machine, model, axes."""
    return {**_machine(record), **_model(record), **_axes(record)}


def _flat_row(record: Record, row: Row) -> FlatRow:
    times = tuple(sample.total_ns for sample in row.counted)
    rates = tuple((row.n_prompt + row.n_gen) * 1e9 / ns if ns else math.inf for ns in times)
    result = {
        "n_prompt": row.n_prompt,
        "n_gen": row.n_gen,
        "n_depth": row.n_depth,
        "test": row.test,
        "test_time": _utc(record.test_time),
        **summary(rates, times),
    }
    fields = {**record_fields(record), **result, **record.foreign}
    if row.stopped_by == SUMMARY:
        return FlatRow(fields)
    return FlatRow(fields, times, tuple(float(f"{rate:.6g}") for rate in rates))


def _machine(record: Record) -> dict[str, Value]:
    axes, machine = record.case.axes, record.fingerprint
    kind = axes.device.split(":")[0]
    extra = variant(axes)
    return {
        "build_commit": commit_of(record),
        "build_number": record.build_number,
        "harness_commit": record.harness_commit,
        "cpu_info": machine.cpu_info,
        "gpu_info": machine.gpu_info if kind == "cuda" else "",
        # mainline's compare script joins on this field and knows no other that tells our variants apart
        "backends": " ".join(filter(None, (_BACKENDS.get(kind, kind), f"({axes.engine})", extra))),
        "cuda": kind == "cuda",
        **dict.fromkeys(("vulkan", "kompute", "metal", "sycl", "gpu_blas", "blas"), False),
        "rpc": "0",
        "engine": axes.engine,
        "device": axes.device,
        "case_id": record.case.case_id,
        "variant": extra,
    }


_BACKENDS = {"cuda": "CUDA", "cpu": "CPU"}


def _model(record: Record) -> dict[str, Value]:
    model, load = record.case.model, record.load
    known = load.model_type if load is not None and model.stand_in is None else ""
    return {
        "model_filename": model.path or model.name,
        "model_type": known or model.label,
        "model_size": load.model_size if load is not None else 0,
        "model_n_params": load.model_n_params if load is not None else 0,
        "stand_in": model.stand_in is not None,
    }


def _axes(record: Record) -> dict[str, Value]:
    axes = record.case.axes
    on_gpu = axes.device.startswith("cuda:")
    return {
        "n_batch": axes.batch,
        "n_ubatch": axes.ubatch,
        "n_threads": axes.threads or record.fingerprint.n_cores,
        "type_k": axes.type_k,
        "type_v": axes.type_v,
        "n_gpu_layers": 99 if on_gpu else 0,
        "n_cpu_moe": axes.n_cpu_moe,
        "split_mode": axes.split_mode,
        "main_gpu": axes.main_gpu,
        "flash_attn": int(axes.flash_attn),
        "devices": "auto",
        "tensor_split": "/".join(f"{share:.2f}" for share in axes.tensor_split) or "0.00",
        "tensor_buft_overrides": ";".join(axes.override_tensor) or "none",
        "override_tensor": ",".join(axes.override_tensor),
        "use_mmap": axes.mmap,
        "load_mode": "mmap" if axes.mmap else "none",
        "repack": axes.repack,
        "mqkv": axes.merge_qkv,
        "muge": axes.merge_up_gate,
        "fused_moe": axes.fused_moe,
        "merge_up_gate_shared": axes.merge_up_gate_shared,
        "moe_path": axes.moe_path,
        "layout": axes.layout,
        "tokens": axes.tokens,
        "cache": axes.cache,
        "layers": axes.layers or 0,
        **_FIXED,
    }


_FIXED: dict[str, Value] = {
    "cpu_mask": "0x0",
    "cpu_strict": False,
    "poll": 50,
    "no_kv_offload": False,
    "embeddings": False,
    "no_op_offload": 0,
    "no_host": False,
    "fit_target": 0,
    "fit_min_ctx": 0,
    "mla_attn": 0,
    "attn_max_batch": 0,
    "ser": "-1,0",
    "max_gpu": 0,
    "cuda_params": "",
    **dict.fromkeys(("reuse", "defer_experts", "grouped_er", "no_fused_up_gate", "use_thp"), False),
    **dict.fromkeys(("no_ooae", "rcache", "sas"), False),
}
"""What the core has no choice in. Readers join on equality, and NULL is equal to nothing, so none may be missing."""


def _utc(test_time: str) -> str:
    """llama-bench's form of the time: whole seconds and a Z."""
    plain = re.sub(r"(\.\d+)?(\+00:?00|Z)?$", "", test_time)
    return f"{plain}Z" if plain else ""
