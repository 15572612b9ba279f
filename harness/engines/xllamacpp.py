"""llama.cpp (mainline) as the wheel `xllamacpp` brings it: the libllama inside its extension module, through ctypes.

The wheel's own Python interface is a server; what is timed here is llama_decode, as llama-bench times it. Of its
structs only the fields in use are declared, and their places are checked against the library's defaults first.
"""

import ctypes
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.engines.libllama import KV_TYPES, Facts, LibllamaEngine, LogTail
from harness.errors import EngineError
from harness.records.axes import Axes

PACKAGE = "xllamacpp"
MMAP, NO_MMAP = 1, 0
"""Of llama_load_mode."""
PARAMS_BYTES = 512
"""More than either parameter struct has: each is the last argument and lies on the stack, where excess is harmless."""


class ModelParams(ctypes.Structure):
    """llama_model_params up to its flags."""

    _fields_ = (
        ("devices", ctypes.c_void_p),
        ("tensor_buft_overrides", ctypes.c_void_p),
        ("n_gpu_layers", ctypes.c_int32),
        ("split_mode", ctypes.c_int32),
        ("load_mode", ctypes.c_int32),
        ("lazy_mode", ctypes.c_int32),
        ("main_gpu", ctypes.c_int32),
        ("tensor_split", ctypes.c_void_p),
        ("progress_callback", ctypes.c_void_p),
        ("progress_callback_user_data", ctypes.c_void_p),
        ("kv_overrides", ctypes.c_void_p),
        ("vocab_only", ctypes.c_bool),
        ("check_tensors", ctypes.c_bool),
        ("use_extra_bufts", ctypes.c_bool),
        ("rest", ctypes.c_uint8 * (PARAMS_BYTES - 75)),
    )


class ContextParams(ctypes.Structure):
    """llama_context_params up to the cache's types, and `swa_full` among the flags behind them."""

    _fields_ = (
        ("n_ctx", ctypes.c_uint32),
        ("n_batch", ctypes.c_uint32),
        ("n_ubatch", ctypes.c_uint32),
        ("n_seq_max", ctypes.c_uint32),
        ("n_rs_seq", ctypes.c_uint32),
        ("n_outputs_max", ctypes.c_uint32),
        ("n_outputs_max_per_seq", ctypes.c_uint32),
        ("n_threads", ctypes.c_int32),
        ("n_threads_batch", ctypes.c_int32),
        ("kinds", ctypes.c_int32 * 4),
        ("flash_attn_type", ctypes.c_int32),
        ("rope", ctypes.c_float * 6),
        ("yarn_orig_ctx", ctypes.c_uint32),
        ("defrag_thold", ctypes.c_float),
        ("cb_eval", ctypes.c_void_p),
        ("cb_eval_user_data", ctypes.c_void_p),
        ("type_k", ctypes.c_int32),
        ("type_v", ctypes.c_int32),
        ("callbacks", ctypes.c_void_p * 3),
        ("embeddings", ctypes.c_bool),
        ("offload_kqv", ctypes.c_bool),
        ("no_perf", ctypes.c_bool),
        ("op_offload", ctypes.c_bool),
        ("swa_full", ctypes.c_bool),
        ("rest", ctypes.c_uint8 * (PARAMS_BYTES - 141)),
    )


class Batch(ctypes.Structure):
    """llama_batch. Without positions they run on from the cache, without flags only the last token has logits."""

    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.c_void_p),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.c_void_p),
        ("n_seq_id", ctypes.c_void_p),
        ("seq_id", ctypes.c_void_p),
        ("logits", ctypes.c_void_p),
    )


MODEL_DEFAULTS = {"n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "main_gpu": 0, "use_extra_bufts": True}
CONTEXT_DEFAULTS = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "n_threads": 4,
    "flash_attn_type": -1,
    "yarn_orig_ctx": 0,
    "type_k": 1,
    "type_v": 1,
    "embeddings": False,
    "offload_kqv": True,
    "op_offload": True,
    "swa_full": True,
}


class XllamacppEngine(LibllamaEngine):
    """`engine: xllamacpp`."""

    def __init__(self) -> None:
        super().__init__(MainlineLibrary())


class MainlineLibrary:
    """The wheel's libllama. Axes: repack is its `--repack` (extra buffer types), mmap its load mode."""

    name = "xllamacpp"
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._lib = _declared(ctypes.CDLL(str(library_path())))
        self._log = LogTail()
        self._lib.llama_log_set(self._log.callback, None)
        self._lib.llama_backend_init()
        check_layout(self._lib.llama_model_default_params(), MODEL_DEFAULTS)
        check_layout(self._lib.llama_context_default_params(), CONTEXT_DEFAULTS)
        self.version = f"{PACKAGE} {version(PACKAGE)} (llama.cpp {self._lib.llama_version().decode()})"
        self._kept: tuple[int, Any] | None = None

    def load(self, path: str, axes: Axes) -> int | None:
        """Errors: EngineError for the merges it does not have."""
        if axes.merge_up_gate or axes.merge_qkv:
            raise EngineError("llama.cpp merges nothing while loading; leave merge_up_gate and merge_qkv off for it.")
        params = self._lib.llama_model_default_params()
        params.load_mode = MMAP if axes.mmap else NO_MMAP
        params.use_extra_bufts = axes.repack
        address: int | None = self._lib.llama_model_load_from_file(path.encode(), params)
        return address

    def facts(self, model: int) -> Facts:
        """As the library counts."""
        text = ctypes.create_string_buffer(256)
        self._lib.llama_model_desc(model, text, len(text))
        return Facts(
            description=text.value.decode(errors="replace"),
            size_bytes=self._lib.llama_model_size(model),
            n_params=self._lib.llama_model_n_params(model),
            n_layers=self._lib.llama_model_n_layer(model),
            n_vocab=self._lib.llama_vocab_n_tokens(self._lib.llama_model_get_vocab(model)),
        )

    def context(self, model: int, axes: Axes, n_ctx: int, threads: int) -> int | None:
        """llama-bench's settings: a cache of windowed layers no longer than their window."""
        params = self._lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_ctx, min(axes.batch, n_ctx), min(axes.ubatch, n_ctx)
        params.n_threads = params.n_threads_batch = threads
        params.type_k, params.type_v = KV_TYPES[axes.type_k], KV_TYPES[axes.type_v]
        params.flash_attn_type = int(axes.flash_attn)
        params.swa_full = False
        address: int | None = self._lib.llama_init_from_model(model, params)
        if address and self._lib.llama_n_ubatch(address) != params.n_ubatch:
            raise EngineError("xllamacpp did not take the settings it was given; this build has another interface.")
        return address

    def batch(self, tokens: Any, first: int, count: int, position: int, *, all_logits: bool) -> Any:  # noqa: ARG002
        """The position is the cache's next one."""
        batch = Batch(n_tokens=count, token=ctypes.addressof(tokens) + 4 * first)
        if all_logits:
            batch.flags = (ctypes.c_int8 * count)(*[1] * count)  # kept alive beside the address
            batch.logits = ctypes.addressof(batch.flags)
        return batch

    def decode(self, context: int, batch: Any) -> int:
        """0 is success."""
        return int(self._lib.llama_decode(context, batch))

    def synchronize(self, context: int) -> None:
        """Wait for the end of the last decode."""
        self._lib.llama_synchronize(context)

    def rewind(self, context: int, filled: int, depth: int) -> int:
        """By a kept state, as llama-bench does: a windowed cache has lost what it would need to be cut."""
        if filled == depth:
            return depth
        self._lib.llama_memory_clear(self._lib.llama_get_memory(context), False)
        if self._kept is None or not 0 < self._kept[0] <= depth:
            return 0
        held, state = self._kept
        if self._lib.llama_state_seq_set_data(context, state, len(state), 0) == 0:
            raise EngineError(f"xllamacpp could not restore its cache of {held} tokens. {self.last_words()}")
        return held

    def keep(self, context: int, depth: int) -> None:
        """Only the latest depth is kept."""
        state = (ctypes.c_uint8 * self._lib.llama_state_seq_get_size(context, 0))()
        self._lib.llama_state_seq_get_data(context, state, len(state), 0)
        self._kept = depth, state

    def logits(self, context: int, count: int, n_vocab: int) -> NDArray[np.float32]:
        """[count, n_vocab] in the library's own memory."""
        return np.ctypeslib.as_array(self._lib.llama_get_logits(context), (count, n_vocab))

    def free(self, model: int | None, context: int | None) -> None:
        """Either may be missing."""
        self._kept = None
        if context:
            self._lib.llama_free(context)
        if model:
            self._lib.llama_model_free(model)

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.text()


def library_path() -> Path:
    """The extension module, without importing it. Errors: ImportError if the wheel is not installed."""
    spec = find_spec(PACKAGE)
    found = sorted(Path(spec.origin).parent.glob("xllamacpp*.so")) if spec and spec.origin else []
    if not found:
        raise ImportError(f"no module named {PACKAGE}")
    return found[0]


def check_layout(params: ctypes.Structure, defaults: dict[str, int]) -> None:
    """Errors: EngineError if the library's defaults do not appear where we look for them."""
    for name, expected in defaults.items():
        if getattr(params, name) != expected:
            found = f"{type(params).__name__}.{name} reads {getattr(params, name)}, not {expected}"
            raise EngineError(
                f"this xllamacpp has another interface ({found}). Install the one `harness[peers]` names."
            )


def _declared(lib: Any) -> Any:
    """`lib` with the prototypes used here."""
    pointer, i32, size, text = ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t, ctypes.c_char_p
    for name, result, arguments in (
        ("llama_log_set", None, [LogTail.TYPE, pointer]),
        ("llama_backend_init", None, []),
        ("llama_version", text, []),
        ("llama_model_default_params", ModelParams, []),
        ("llama_context_default_params", ContextParams, []),
        ("llama_model_load_from_file", pointer, [text, ModelParams]),
        ("llama_init_from_model", pointer, [pointer, ContextParams]),
        ("llama_model_free", None, [pointer]),
        ("llama_free", None, [pointer]),
        ("llama_model_desc", i32, [pointer, text, size]),
        ("llama_model_size", ctypes.c_uint64, [pointer]),
        ("llama_model_n_params", ctypes.c_uint64, [pointer]),
        ("llama_model_n_layer", i32, [pointer]),
        ("llama_model_get_vocab", pointer, [pointer]),
        ("llama_vocab_n_tokens", i32, [pointer]),
        ("llama_n_ubatch", ctypes.c_uint32, [pointer]),
        ("llama_decode", i32, [pointer, Batch]),
        ("llama_synchronize", None, [pointer]),
        ("llama_get_logits", ctypes.POINTER(ctypes.c_float), [pointer]),
        ("llama_get_memory", pointer, [pointer]),
        ("llama_memory_clear", None, [pointer, ctypes.c_bool]),
        ("llama_state_seq_get_size", size, [pointer, i32]),
        ("llama_state_seq_get_data", size, [pointer, pointer, size, i32]),
        ("llama_state_seq_set_data", size, [pointer, pointer, size, i32]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib
