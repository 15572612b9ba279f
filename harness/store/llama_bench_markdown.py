"""llama-bench's Markdown table: model, size, params, backend, what is not at its default, test, t/s.

The rate is the average over repetitions with its sample standard deviation, as llama-bench prints it.
"""

import re
from collections.abc import Sequence

from harness.store.llama_bench_fields import Value, field_type
from harness.store.llama_bench_rows import FlatRow

DISPLAY = {
    "n_gpu_layers": "ngl",
    "n_threads": "threads",
    "split_mode": "sm",
    "no_kv_offload": "nkvo",
    "flash_attn": "fa",
    "mla_attn": "mla",
    "attn_max_batch": "amb",
    "reuse": "gr",
    "use_mmap": "mmap",
    "load_mode": "lm",
    "repack": "rtr",
    "defer_experts": "defer",
    "use_thp": "thp",
    "fused_moe": "fmoe",
    "grouped_er": "ger",
    "no_fused_up_gate": "no-fug",
    "no_ooae": "no-ooae",
    "embeddings": "embd",
    "no_op_offload": "nopo",
    "no_host": "noh",
    "devices": "dev",
    "tensor_split": "ts",
    "tensor_buft_overrides": "ot",
    "cuda_params": "cuda",
    "fit_target": "fitt",
    "fit_min_ctx": "fitc",
    "mul_mat_q": "mmq",
}
"""llama-bench's column headings where they are not the field's name."""

DEFAULTS: dict[str, tuple[Value, ...]] = {
    "n_cpu_moe": (0,),
    "n_batch": (2048,),
    "n_ubatch": (512,),
    "type_k": ("f16",),
    "type_v": ("f16",),
    "main_gpu": (0,),
    "split_mode": ("none", "layer"),
    "flash_attn": (1, True, -1),
    "tensor_split": ("0.00",),
    "tensor_buft_overrides": ("none", ""),
    "use_mmap": (True, 1),
    "repack": (False, 0),
    "mqkv": (False, 0),
    "muge": (False, 0),
    "fused_moe": (True, 1),
    "moe_path": ("grouped",),
    "layout": ("auto",),
}
"""Options that get a column only where some row differs from llama-bench's default, or the rows from each other."""

_WIDTHS = {"model": 30, "size": 10, "params": 10, "n_gpu_layers": 3, "n_threads": 7, "test": 15, "t/s": 20}


def markdown(rows: Sequence[FlatRow]) -> str:
    """The table and the line with the build."""
    names = ("model", "size", "params", "backend", *_options(rows), "test", "t/s")
    lines = [_line([DISPLAY.get(name, name) for name in names], names), _rule(names)]
    lines += [_line([_text(row, name) for name in names], names) for row in rows]
    builds = sorted({(str(row.fields["build_commit"]), str(row.fields["build_number"])) for row in rows})
    footer = "".join(f"\nbuild: {_safe(commit)} ({number})\n" for commit, number in builds[:1] if len(builds) == 1)
    return "".join(lines) + footer


def _options(rows: Sequence[FlatRow]) -> list[str]:
    on_cpu = any(row.fields.get("n_gpu_layers") == 0 for row in rows)
    device = ["n_threads"] if on_cpu else ["n_gpu_layers"]
    chosen = [name for name, defaults in DEFAULTS.items() if _interesting(rows, name, defaults)]
    build = ["build_commit"] if len({row.fields.get("build_commit") for row in rows}) > 1 else []
    return [*device, *chosen, *build]


def _interesting(rows: Sequence[FlatRow], name: str, defaults: tuple[Value, ...]) -> bool:
    values = [row.fields.get(name, defaults[0]) for row in rows]
    return any(value not in defaults for value in values) or len(set(values)) > 1


def _text(row: FlatRow, name: str) -> str:
    fields = row.fields
    if name == "model":
        return str(fields["model_type"])
    if name == "size":
        return _size(_number(fields, "model_size"))
    if name == "params":
        return _params(_number(fields, "model_n_params"))
    if name == "backend":
        return str(fields["backends"])
    if name == "t/s":
        return f"{_number(fields, 'avg_ts'):.2f} ± {_number(fields, 'stddev_ts'):.2f}"
    value = fields.get(name, "")
    return str(int(value)) if isinstance(value, bool) else str(value)


def _number(fields: dict[str, Value], name: str) -> float:
    value = fields.get(name)
    return float(value) if value is not None else 0.0


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 2**20:.2f} MiB" if size_bytes < 2**30 else f"{size_bytes / 2**30:.2f} GiB"


def _params(count: float) -> str:
    return f"{count / 1e6:.2f} M" if count < 1e9 else f"{count / 1e9:.2f} B"


def _line(cells: Sequence[str], names: Sequence[str]) -> str:
    padded = (
        _safe(cell).ljust(_width(name)) if _leftwards(name) else _safe(cell).rjust(_width(name))
        for cell, name in zip(cells, names, strict=True)
    )
    return "| " + " | ".join(padded) + " |\n"


def _rule(names: Sequence[str]) -> str:
    return "| " + " | ".join("-" * (_width(n) - 1) + ("-" if _leftwards(n) else ":") for n in names) + " |\n"


def _width(name: str) -> int:
    return _WIDTHS.get(name, max(len(name), 10) if name not in DISPLAY else max(len(DISPLAY[name]), 4))


def _leftwards(name: str) -> bool:
    right = name in {"size", "params", "test", "t/s"} or field_type(name) != "text"
    return not right


def _safe(text: str) -> str:
    """Text that cannot end its cell or its line."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).replace("\\", "\\\\").replace("|", "\\|")
