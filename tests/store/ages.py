"""llama-bench through the years: what each age's fields are, and its printers, from what the programs print."""

import json
from dataclasses import dataclass

FLAGS_2023 = ["cuda", "opencl", "metal", "gpu_blas", "blas"]
FLAGS_2024 = ["cuda", "vulkan", "kompute", "metal", "sycl", "rpc", "gpu_blas", "blas"]
MODEL = ["model_filename", "model_type", "model_size", "model_n_params"]
RESULT = ["test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts"]
BUILD = ["build_commit", "build_number"]
INFO = ["cpu_info", "gpu_info"]

BOOLS = {
    *FLAGS_2023,
    *FLAGS_2024,
    *["f16_kv", "low_vram", "mul_mat_q", "no_kv_offload", "flash_attn", "use_mmap", "embeddings", "cpu_strict"],
    *["no_host", "use_direct_io", "reuse", "repack", "mqkv", "muge", "defer_experts", "fused_moe", "grouped_er"],
    *["no_fused_up_gate", "use_thp", "no_ooae", "rcache", "sas"],
} - {"rpc"}
NUMBERS = {
    *["build_number", "model_size", "model_n_params", "n_batch", "n_ubatch", "n_threads", "poll", "n_gpu_layers"],
    *["main_gpu", "n_prompt", "n_gen", "n_depth", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "n_cpu_moe"],
    *["no_op_offload", "fit_target", "fit_min_ctx", "mla_attn", "attn_max_batch", "max_gpu"],
}


@dataclass(frozen=True)
class Age:
    """A version's field list in its order, its SQL table, and how it prints flash_attn and the test's name."""

    fields: list[str]
    table: str = "test"
    fa_number: bool = False
    spaced_test: bool = False
    jsonl: bool = False


OPTIONS_2024 = ["n_gpu_layers", "split_mode", "main_gpu", "no_kv_offload", "flash_attn", "tensor_split", "use_mmap"]
MAINLINE_2025 = [
    *[*BUILD, *INFO, "backends", *MODEL, "n_batch", "n_ubatch", "n_threads", "cpu_mask", "cpu_strict", "poll"],
    *["type_k", "type_v"],
]

AGES = {
    "mainline 2023-09": Age(
        [
            *[*BUILD, *FLAGS_2023, *INFO, *MODEL, "n_batch", "n_threads", "f16_kv", "n_gpu_layers", "main_gpu"],
            *["mul_mat_q", "low_vram", "tensor_split", "n_prompt", "n_gen", *RESULT],
        ],
        spaced_test=True,
    ),
    "mainline 2024-01": Age(
        [
            *[*BUILD, *FLAGS_2023, *INFO, *MODEL, "n_batch", "n_threads", "type_k", "type_v", "n_gpu_layers"],
            *["split_mode", "main_gpu", "mul_mat_q", "no_kv_offload", "tensor_split", "n_prompt", "n_gen", *RESULT],
        ],
        spaced_test=True,
    ),
    "mainline 2024-06": Age(
        [
            *[*BUILD, *FLAGS_2024, *INFO, *MODEL, "n_batch", "n_ubatch", "n_threads", "type_k", "type_v"],
            *[*OPTIONS_2024, "embeddings", "n_prompt", "n_gen", *RESULT],
        ]
    ),
    "mainline 2024-12": Age(
        [*MAINLINE_2025, *OPTIONS_2024, "embeddings", "n_prompt", "n_gen", *RESULT],
        jsonl=True,
    ),
    "mainline 2025-08": Age(
        [
            *[*MAINLINE_2025, *OPTIONS_2024[:-1], "tensor_buft_overrides", "use_mmap", "embeddings"],
            *["no_op_offload", "n_prompt", "n_gen", "n_depth", *RESULT],
        ],
        table="llama_bench",
        jsonl=True,
    ),
    "mainline 2026-07": Age(
        [
            *[*MAINLINE_2025, "n_gpu_layers", "n_cpu_moe", "split_mode", "main_gpu", "no_kv_offload", "flash_attn"],
            *["devices", "tensor_split", "tensor_buft_overrides", "load_mode", "embeddings", "no_op_offload"],
            *["no_host", "fit_target", "fit_min_ctx", "n_prompt", "n_gen", "n_depth", *RESULT],
        ],
        table="llama_bench",
        fa_number=True,
        jsonl=True,
    ),
    "ik 2024-10": Age(
        [
            *[*BUILD, *FLAGS_2024, *INFO, *MODEL, "n_batch", "n_ubatch", "n_threads", "type_k", "type_v"],
            *[*OPTIONS_2024, "embeddings", "n_prompt", "n_gen", *RESULT],
        ]
    ),
    "ik 2025-06": Age(
        [
            *[*BUILD, *FLAGS_2024, *INFO, *MODEL, "n_batch", "n_ubatch", "n_threads", "type_k", "type_v"],
            *[*OPTIONS_2024[:-2], "mla_attn", "attn_max_batch", "ser", "tensor_split", "use_mmap", "embeddings"],
            *["repack", "fused_moe", "use_thp", "n_prompt", "n_gen", *RESULT, "test"],
        ]
    ),
    "ik 2026-05": Age(
        [
            *[*BUILD, *FLAGS_2024, *INFO, *MODEL, "n_batch", "n_ubatch", "n_threads", "type_k", "type_v"],
            *[*OPTIONS_2024[:-2], "mla_attn", "attn_max_batch", "ser", "reuse", "tensor_split", "use_mmap"],
            *["embeddings", "repack", "mqkv", "muge", "defer_experts", "fused_moe", "grouped_er"],
            *["no_fused_up_gate", "use_thp", "no_ooae", "rcache", "sas", "max_gpu", "cuda_params"],
            *["override_tensor", "n_prompt", "n_gen", *RESULT, "test"],
        ]
    ),
}

VALUES = {
    "build_commit": "9f3c1d20",
    "build_number": "4321",
    "cpu_info": "AMD Ryzen 9 7950X 16-Core Processor",
    "gpu_info": "NVIDIA GeForce RTX 3090",
    "backends": "CUDA",
    "model_filename": "models/gpt-oss-20b-mxfp4.gguf",
    "model_type": "gpt-oss 20B MXFP4",
    "model_size": "12109566624",
    "model_n_params": "20914757184",
    "n_batch": "2048",
    "n_ubatch": "512",
    "n_threads": "16",
    "cpu_mask": "0x0",
    "poll": "50",
    "type_k": "f16",
    "type_v": "f16",
    "n_gpu_layers": "99",
    "n_cpu_moe": "0",
    "split_mode": "layer",
    "tensor_split": "0.00",
    "tensor_buft_overrides": "none",
    "load_mode": "mmap",
    "devices": "auto",
    "ser": "-1,0",
    "mla_attn": "3",
    "cuda": "1",
    "gpu_blas": "1",
    "mul_mat_q": "1",
    "f16_kv": "1",
    "flash_attn": "1",
    "use_mmap": "1",
    "fused_moe": "1",
    "muge": "1",
    "rpc": "0",
    "cuda_params": "",
    "override_tensor": "",
    "test_time": "2026-01-05T11:22:33Z",
}

TESTS = [
    {"n_prompt": "512", "n_gen": "0", "samples_ns": [101_000_000, 100_000_000, 102_000_000]},
    {"n_prompt": "0", "n_gen": "128", "samples_ns": [900_000_000, 910_000_000, 905_000_000]},
]


def rows(age: Age, **changes: str) -> list[dict[str, object]]:
    """Two rows (pp512, tg128) as strings by field, as the program's get_values has them, and the samples."""
    out = []
    for test in TESTS:
        tokens = int(str(test["n_prompt"])) + int(str(test["n_gen"]))
        samples = list(test["samples_ns"])
        rates = [tokens * 1e9 / ns for ns in samples]
        name = f"pp{test['n_prompt']}" if test["n_gen"] == "0" else f"tg{test['n_gen']}"
        made = {field: VALUES.get(field, "0") for field in age.fields}
        made |= {"n_prompt": test["n_prompt"], "n_gen": test["n_gen"], "test": name} | changes
        made |= {"avg_ns": str(sum(samples) // 3), "stddev_ns": "1000000", "avg_ts": f"{sum(rates) / 3:.6f}"}
        made |= {"stddev_ts": f"{(max(rates) - min(rates)) / 2:.6f}"}
        out.append({field: made[field] for field in age.fields} | {"samples_ns": samples, "samples_ts": rates})
    return out


def as_json(age: Age, made: list[dict[str, object]]) -> str:
    """Indented as llama-bench prints it; the caller's text goes in unescaped where it must."""
    return "[\n" + ",\n".join("  {\n    " + ",\n    ".join(_pairs(age, row)) + "\n  }" for row in made) + "\n]\n"


def as_jsonl(age: Age, made: list[dict[str, object]]) -> str:
    return "".join("{" + ", ".join(_pairs(age, row)) + "}\n" for row in made)


def as_csv(age: Age, made: list[dict[str, object]], *, escape: bool = True) -> str:
    def quoted(value: object) -> str:
        return '"' + (str(value).replace('"', '""') if escape else str(value)) + '"'

    lines = [",".join(age.fields)] + [",".join(quoted(row[f]) for f in age.fields) for row in made]
    return "\n".join(lines) + "\n"


def as_sql(age: Age, made: list[dict[str, object]]) -> str:
    """llama-bench doubles no quotes."""
    body = ",\n".join(f"  {field} {_sql_type(field)}" for field in age.fields)
    head = f"CREATE TABLE IF NOT EXISTS {age.table} (\n{body}\n);\n\n"
    names = ", ".join(age.fields)
    return head + "".join(
        f"INSERT INTO {age.table} ({names}) VALUES (" + ", ".join(f"'{row[f]}'" for f in age.fields) + ");\n"
        for row in made
    )


def as_md(age: Age, made: list[dict[str, object]]) -> str:
    extra = [("muge", 4)] if "muge" in age.fields else []
    head = ["model", "size", "params", "backend", "ngl", *[name for name, _ in extra], "test", "t/s"]
    widths = [30, 10, 10, 10, 3, *[width for _, width in extra], 13, 16]
    line = "| " + " | ".join(name.ljust(w) for name, w in zip(head, widths, strict=True)) + " |\n"
    rule = "| " + " | ".join("-" * w for w in widths) + " |\n"
    body = ""
    for row in made:
        name = f"pp{row['n_prompt']}" if row["n_gen"] == "0" else f"tg{row['n_gen']}"
        test = f"{name[:2]} {name[2:]}" if age.spaced_test else name
        rate = f"{float(str(row['avg_ts'])):.2f} ± {float(str(row['stddev_ts'])):.2f}"
        size = f"{int(str(row['model_size'])) / 2**30:.2f} GiB"
        params = f"{int(str(row['model_n_params'])) / 1e9:.2f} B"
        cells = [str(row["model_type"]), size, params, "CUDA", str(row["n_gpu_layers"])]
        cells += [*[str(row[name]) for name, _ in extra], test, rate]
        body += "| " + " | ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)) + " |\n"
    return line + rule + body + f"\nbuild: {made[0]['build_commit']} ({made[0]['build_number']})\n"


FORMATS = {"json": as_json, "jsonl": as_jsonl, "csv": as_csv, "md": as_md, "sql": as_sql}


def _pairs(age: Age, row: dict[str, object]) -> list[str]:
    pairs = [f'"{field}": {_json(age, field, str(row[field]))}' for field in age.fields]
    samples = ", ".join(map(str, row["samples_ns"]))  # type: ignore[call-overload]
    rates = ", ".join(f"{rate:.6g}" for rate in row["samples_ts"])  # type: ignore[attr-defined]
    return [*pairs, f'"samples_ns": [ {samples} ]', f'"samples_ts": [ {rates} ]']


def _json(age: Age, field: str, value: str) -> str:
    if field in NUMBERS or (field == "flash_attn" and age.fa_number):
        return value
    return ("false" if value == "0" else "true") if field in BOOLS else json.dumps(value)


def _sql_type(field: str) -> str:
    if field in {"avg_ts", "stddev_ts"}:
        return "REAL"
    return "INTEGER" if field in NUMBERS | BOOLS else "TEXT"
