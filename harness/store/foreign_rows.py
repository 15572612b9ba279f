"""A foreign llama-bench row, of any age, as a record.

The row's own fields are kept beside what we make of them, so that exporting gives them back. Samples are never made up:
where a file has only averages, the record says so.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test, TestKind
from harness.records.record import Fingerprint, Record
from harness.records.timing import LoadReport, Row, Sample
from harness.store.llama_bench_fields import Value
from harness.store.llama_bench_rows import SUMMARY, FlatRow
from harness.store.parsed import sound

_TEST = re.compile(r"(?:pp ?(\d+))?\s*\+?\s*(?:tg ?(\d+))?(?:\s*@ ?(d|pp) ?(\d+))?")
_FLAGS = {"cuda": "CUDA", "vulkan": "Vulkan", "kompute": "Kompute", "metal": "Metal", "sycl": "SYCL"}


@dataclass(frozen=True)
class Measured:
    """What a row's figures are about, in tokens."""

    n_prompt: int
    n_gen: int
    n_depth: int


def to_record(row: FlatRow, source: str) -> Record | None:
    """The row as a record imported from `source`; None where it does not say what was measured and how fast."""
    fields = _renamed(row.fields)
    measured = _measured(fields, row)
    timed = _timed(fields, row, measured) if measured else None
    if measured is None or timed is None:
        return None
    axes, model = _axes(fields), _model(fields)
    test = Test(_kind(measured), measured.n_prompt, measured.n_gen, (measured.n_depth,))
    cpu, gpu = _text(fields, "cpu_info"), _text(fields, "gpu_info")
    return Record(
        case=Case(_case_id(fields, axes, test, source), "imported", model, axes, test, Sampling()),
        status="ok",
        run="",
        test_time=_text(fields, "test_time"),
        rows=(timed,),
        load=_load(fields),
        fingerprint=Fingerprint(cpu_info=cpu, gpu_info=gpu, device_class=f"imported {gpu or cpu}".strip()),
        harness_commit=_text(fields, "harness_commit"),
        build_commit=_text(fields, "build_commit"),
        build_number=_int(fields, "build_number"),
        imported_from=source,
        foreign={name: value for name, value in fields.items() if name not in _RESTATED and value is not None},
    )


_RESTATED = {"n_prompt", "n_gen", "n_depth", "test"}
"""Fields a record says itself: ages differ in how they name a test at a depth."""


def _renamed(fields: dict[str, Value]) -> dict[str, Value]:
    """The row under today's names: what an age called otherwise, or said by other means, is added."""
    out = sound(fields)
    if "backends" not in out:
        on = [name for flag, name in _FLAGS.items() if _true(out.get(flag))]
        blas = "BLAS" if _true(out.get("blas")) else "CPU"
        out["backends"] = on[0] if on else blas
    if "f16_kv" in out:
        kind = "f16" if _true(out["f16_kv"]) else "f32"
        out = {"type_k": kind, "type_v": kind, **out}
    if "load_mode" in out:
        out.setdefault("use_mmap", "mmap" in str(out["load_mode"]))
    return out


def _measured(fields: dict[str, Value], row: FlatRow) -> Measured | None:
    """From n_prompt and n_gen, or from the test's name. ik_llama.cpp's tg at an untimed prompt is tg at that depth."""
    label = _TEST.fullmatch(_text(fields, "test").strip())
    named = label if label and (label[1] or label[2]) else None
    n_prompt = _int(fields, "n_prompt") or (int(named[1] or 0) if named else 0)
    n_gen = _int(fields, "n_gen") or (int(named[2] or 0) if named else 0)
    if not n_prompt + n_gen:
        return None
    depth = _int(fields, "n_depth") or (int(named[4]) if named and named[4] else 0)
    behind_prompt = named is not None and named[3] == "pp"
    if n_prompt and n_gen and (behind_prompt or (named is None and _only_gen_counted(fields, row, n_prompt, n_gen))):
        return Measured(0, n_gen, n_prompt)
    return Measured(n_prompt, n_gen, depth)


def _only_gen_counted(fields: dict[str, Value], row: FlatRow, n_prompt: int, n_gen: int) -> bool:
    """Whether rate times time is the generated tokens alone."""
    if row.samples_ns and len(row.samples_ns) == len(row.samples_ts):
        tokens = row.samples_ns[0] * row.samples_ts[0] / 1e9
    else:
        tokens = _float(fields, "avg_ns") * _float(fields, "avg_ts") / 1e9
    return tokens > 0 and abs(tokens - n_gen) < abs(tokens - n_prompt - n_gen)


def _timed(fields: dict[str, Value], row: FlatRow, measured: Measured) -> Row | None:
    tokens = measured.n_prompt + measured.n_gen
    times = row.samples_ns or tuple(round(tokens * 1e9 / rate) for rate in row.samples_ts)
    stopped = ""
    if not times:
        rate, mean_ns = _float(fields, "avg_ts"), _float(fields, "avg_ns")
        # the mean of rates is what llama-bench reports; the mean time's rate is another figure where samples scatter
        times, stopped = (round(tokens * 1e9 / rate if rate > 0 else mean_ns),), SUMMARY
    if min(times) <= 0:
        return None
    samples = tuple(Sample(start_ns=0, total_ns=ns, n_tokens=tokens) for ns in times)
    return Row(measured.n_prompt, measured.n_gen, measured.n_depth, samples, stopped_by=stopped)


def _axes(fields: dict[str, Value]) -> Axes:
    overrides = _text(fields, "tensor_buft_overrides").replace("none", "") or _text(fields, "override_tensor")
    shares = _text(fields, "tensor_split")
    default = Axes()
    return Axes(
        engine=_text(fields, "engine") or "llama_bench",
        device=_text(fields, "device") or _device(fields),
        split_mode=_text(fields, "split_mode") or "layer",
        tensor_split=_shares(shares),
        main_gpu=_int(fields, "main_gpu"),
        override_tensor=tuple(filter(None, re.split(r"[;,]", overrides))),
        n_cpu_moe=_int(fields, "n_cpu_moe"),
        merge_up_gate=_true(fields.get("muge")),
        merge_qkv=_true(fields.get("mqkv")),
        merge_up_gate_shared=_true(fields.get("merge_up_gate_shared")),
        fused_moe=_true(fields.get("fused_moe", default.fused_moe)),
        ubatch=_int(fields, "n_ubatch") or min(_int(fields, "n_batch") or default.batch, default.ubatch),
        batch=_int(fields, "n_batch") or default.batch,
        threads=_int(fields, "n_threads"),
        type_k=_text(fields, "type_k") or "f16",
        type_v=_text(fields, "type_v") or "f16",
        flash_attn=_text(fields, "flash_attn") not in {"0", "False", "off", ""},
        repack=_true(fields.get("repack")),
        mmap=_true(fields.get("use_mmap", True)),
        layers=_int(fields, "layers") or None,
        moe_path=_text(fields, "moe_path") or default.moe_path,
        layout=_text(fields, "layout") or default.layout,
        tokens=_text(fields, "tokens") or default.tokens,
        cache=_text(fields, "cache") or default.cache,
    )


def _device(fields: dict[str, Value]) -> str:
    backend = _text(fields, "backends")
    first = re.split(r"[,+ ]", backend)[0].lower()
    if first in {"", "cpu", "blas", "zendnn"} or fields.get("n_gpu_layers") == 0:
        return "cpu:0"
    return f"{first}:{_int(fields, 'main_gpu')}"


def _model(fields: dict[str, Value]) -> ModelRef:
    path = _text(fields, "model_filename")
    return ModelRef(_text(fields, "model_type") or path.rpartition("/")[2] or "unknown model", path or None)


def _load(fields: dict[str, Value]) -> LoadReport:
    size, count = _int(fields, "model_size"), _int(fields, "model_n_params")
    return LoadReport({}, _text(fields, "model_type"), size, count, n_layers=0, n_vocab=0)


def _kind(measured: Measured) -> TestKind:
    if measured.n_prompt and measured.n_gen:
        return "pg"
    return "pp" if measured.n_prompt else "tg"


def _case_id(fields: dict[str, Value], axes: Axes, test: Test, source: str) -> str:
    """The same for the same measurement in the same file, whatever its figures."""
    figures = {"avg_ns", "stddev_ns", "avg_ts", "stddev_ts"}
    told = {name: str(value) for name, value in fields.items() if name not in figures}
    identity = json.dumps([source, told, repr(axes), test.label], sort_keys=True)
    return f"imported-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split("/"))
    except ValueError:
        return ()
    return shares if any(shares) and all(map(math.isfinite, shares)) else ()


def _text(fields: dict[str, Value], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value)


def _int(fields: dict[str, Value], name: str) -> int:
    return int(_float(fields, name))


def _float(fields: dict[str, Value], name: str) -> float:
    """The field as a number; 0 where it is missing or no number."""
    try:
        number = float(fields.get(name) or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _true(value: Value) -> bool:
    return str(value).lower() in {"1", "true", "on", "1.0"}
