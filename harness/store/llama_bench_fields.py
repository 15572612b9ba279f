"""The fields of a llama-bench row, in mainline's and in ik_llama.cpp's order, with their types.

A row is a flat mapping from these names to text, whole numbers, rates and booleans. Taken from the field lists both
programs print; every age of either reads the names it knows and skips the rest.
"""

from typing import Literal

FieldType = Literal["text", "int", "bool", "float"]
Value = str | int | float | bool | None

MAINLINE_FIELDS = (
    *("build_commit", "build_number", "cpu_info", "gpu_info", "backends"),
    *("model_filename", "model_type", "model_size", "model_n_params"),
    *("n_batch", "n_ubatch", "n_threads", "cpu_mask", "cpu_strict", "poll", "type_k", "type_v"),
    *("n_gpu_layers", "n_cpu_moe", "split_mode", "main_gpu", "no_kv_offload", "flash_attn", "devices"),
    *("tensor_split", "tensor_buft_overrides", "use_mmap", "load_mode", "embeddings"),
    *("no_op_offload", "no_host", "fit_target", "fit_min_ctx"),
)
IK_FIELDS = (
    *("cuda", "vulkan", "kompute", "metal", "sycl", "rpc", "gpu_blas", "blas"),
    *("mla_attn", "attn_max_batch", "ser", "reuse", "repack", "mqkv", "muge", "defer_experts", "fused_moe"),
    *("grouped_er", "no_fused_up_gate", "use_thp", "no_ooae", "rcache", "sas", "max_gpu", "cuda_params"),
    "override_tensor",
)
OUR_FIELDS = (
    *("harness_commit", "engine", "device", "stand_in", "case_id", "variant"),
    *("moe_path", "layout", "merge_up_gate_shared", "tokens", "cache", "layers"),
)
RESULT_FIELDS = (
    *("n_prompt", "n_gen", "n_depth", "test", "test_time"),
    *("avg_ns", "stddev_ns", "avg_ts", "stddev_ts"),
)
SAMPLE_FIELDS = ("samples_ns", "samples_ts")

EXPORT_FIELDS = (*MAINLINE_FIELDS, *IK_FIELDS, *OUR_FIELDS, *RESULT_FIELDS)
"""The columns of an export, in order."""

INT_FIELDS = frozenset(
    {
        *("build_number", "model_size", "model_n_params", "n_batch", "n_ubatch", "n_threads", "poll", "layers"),
        *("n_gpu_layers", "n_cpu_moe", "main_gpu", "flash_attn", "no_op_offload", "fit_target", "fit_min_ctx"),
        *("mla_attn", "attn_max_batch", "max_gpu", "n_prompt", "n_gen", "n_depth", "avg_ns", "stddev_ns"),
    }
)
BOOL_FIELDS = frozenset(
    {
        *("cuda", "vulkan", "kompute", "metal", "sycl", "gpu_blas", "blas", "opencl", "cpu_strict", "no_kv_offload"),
        *("use_mmap", "embeddings", "no_host", "low_vram", "mul_mat_q", "f16_kv", "use_direct_io", "reuse", "repack"),
        *("mqkv", "muge", "merge_up_gate_shared", "defer_experts", "fused_moe", "grouped_er", "no_fused_up_gate"),
        *("use_thp", "no_ooae", "rcache", "sas", "stand_in"),
    }
)
FLOAT_FIELDS = frozenset({"avg_ts", "stddev_ts", "defrag_thold"})


def field_type(name: str) -> FieldType:
    """How llama-bench prints a field; what is not known is text."""
    if name in INT_FIELDS:
        return "int"
    if name in BOOL_FIELDS:
        return "bool"
    return "float" if name in FLOAT_FIELDS else "text"
