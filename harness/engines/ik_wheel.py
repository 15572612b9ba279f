"""ik_llama.cpp as the wheel `ik-llama-cpp-python` brings it: its own libllama, driven as its llama-bench drives it.

Traps kept out of the figures: with `merge_up_gate` every llama_init_from_model permutes the merged weights again, so a
model gets one context, ever; and `merge_up_gate` makes it ignore `fused_moe: off`, which is refused here. Known, left
alone: attention windows shorter than its tiles (tiny models only) give logits that depend on the batch.
"""

import ctypes
from importlib.metadata import version
from typing import Any

import numpy as np
from ik_llama_cpp import _ctypes_api as api  # type: ignore[import-untyped]
from numpy.typing import NDArray

from harness.engines.libllama import KV_TYPES, Facts, LibllamaEngine, LogTail
from harness.errors import EngineError
from harness.records.axes import Axes

PACKAGE = "ik-llama-cpp-python"


class IkWheelEngine(LibllamaEngine):
    """`engine: ik_wheel`."""

    def __init__(self) -> None:
        super().__init__(IkLibrary())


class IkSecondContextEngine(LibllamaEngine):
    """`engine: ik_wheel_second_context`: what its llama-bench measures from its second test on.

    With `merge_up_gate` the weights have been permuted twice by then and the logits are wrong; the speed is unaffected.
    """

    def __init__(self) -> None:
        super().__init__(SecondContextLibrary())


class IkLibrary:
    """The wheel's libllama. Axes: merge_up_gate -muge, merge_qkv -mqkv, repack -rtr, fused_moe -fmoe, mmap -mmp."""

    name = "ik_wheel"

    def __init__(self) -> None:
        self._lib = _declared(api._lib)  # noqa: SLF001  the wheel binds only part of the C interface
        self._log = LogTail()
        self._lib.llama_log_set(self._log.callback, None)
        api.llama_backend_init()
        self.version = f"{PACKAGE} {version(PACKAGE)}"
        self.notes: tuple[str, ...] = ()

    def load(self, path: str, axes: Axes) -> int | None:
        """Errors: EngineError for the combination whose result it would mislabel."""
        if axes.merge_up_gate and not axes.fused_moe:
            raise EngineError("ik_llama.cpp ignores fused_moe: off once merge_up_gate is on; leave this cell out.")
        params = api.llama_model_default_params()
        params.use_mmap = axes.mmap
        params.repack_tensors = axes.repack
        params.merge_qkv, params.merge_up_gate_exps = axes.merge_qkv, axes.merge_up_gate
        params.flash_attn = axes.flash_attn
        params.n_ubatch = axes.ubatch
        params.type_k, params.type_v = KV_TYPES[axes.type_k], KV_TYPES[axes.type_v]
        if axes.mmap and (axes.merge_up_gate or axes.merge_qkv or axes.repack):
            self.notes = ("merging or repacking switches its mmap off",)
        address: int | None = api.llama_model_load_from_file(path.encode(), params)
        return address

    def facts(self, model: int) -> Facts:
        """As the library counts: a merged model's size and parameters include the tensors it was merged from."""
        text = ctypes.create_string_buffer(256)
        self._lib.llama_model_desc(model, text, len(text))
        return Facts(
            description=text.value.decode(errors="replace"),
            size_bytes=self._lib.llama_model_size(model),
            n_params=self._lib.llama_model_n_params(model),
            n_layers=self._lib.llama_n_layer(model),
            n_vocab=self._lib.llama_n_vocab(model),
        )

    def context(self, model: int, axes: Axes, n_ctx: int, threads: int) -> int | None:
        """One per model: see the module."""
        params = api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_ctx, min(axes.batch, n_ctx), min(axes.ubatch, n_ctx)
        params.n_threads = params.n_threads_batch = threads
        params.type_k, params.type_v = KV_TYPES[axes.type_k], KV_TYPES[axes.type_v]
        params.flash_attn = axes.flash_attn
        params.fused_moe_up_gate = axes.fused_moe
        address: int | None = api.llama_init_from_model(model, params)
        return address

    def batch(self, tokens: Any, first: int, count: int, position: int, *, all_logits: bool) -> Any:
        """Positions by the batch's running number, as llama_batch_get_one makes them."""
        batch = api.llama_batch(n_tokens=count, all_pos_0=position, all_pos_1=1, all_seq_id=0)
        batch.token = ctypes.cast(ctypes.byref(tokens, 4 * first), api.llama_token_p)
        if all_logits:
            batch.logits = (ctypes.c_int8 * count)(*[1] * count)
        return batch

    def decode(self, context: int, batch: Any) -> int:
        """0 is success."""
        return int(self._lib.llama_decode(context, batch))

    def synchronize(self, context: int) -> None:
        """Wait for the end of the last decode."""
        self._lib.llama_synchronize(context)

    def rewind(self, context: int, filled: int, depth: int) -> int:
        """Its cache holds every position of every layer, so the tail can be cut off."""
        if depth == 0:
            self._lib.llama_kv_cache_clear(context)
        elif filled > depth:
            self._lib.llama_kv_cache_seq_rm(context, 0, depth, -1)
        return min(filled, depth)

    def keep(self, context: int, depth: int) -> None:
        """Nothing to keep: see `rewind`."""

    def logits(self, context: int, count: int, n_vocab: int) -> NDArray[np.float32]:
        """[count, n_vocab] in the library's own memory."""
        return np.ctypeslib.as_array(self._lib.llama_get_logits(context), (count, n_vocab))

    def free(self, model: int | None, context: int | None) -> None:
        """Either may be missing."""
        if context:
            api.llama_free(context)
        if model:
            api.llama_free_model(model)

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.text()


class SecondContextLibrary(IkLibrary):
    """Makes a context, drops it, and goes on with a second one on the same model."""

    name = "ik_wheel_second_context"

    def context(self, model: int, axes: Axes, n_ctx: int, threads: int) -> int | None:
        """The second."""
        self.free(None, super().context(model, axes, n_ctx, threads))
        return super().context(model, axes, n_ctx, threads)


def _declared(lib: Any) -> Any:
    """`lib` with the prototypes of the functions that the wheel does not bind itself."""
    pointer, i32, size = ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t
    for name, result, arguments in (
        ("llama_log_set", None, [LogTail.TYPE, pointer]),
        ("llama_get_logits", ctypes.POINTER(ctypes.c_float), [pointer]),
        ("llama_synchronize", None, [pointer]),
        ("llama_kv_cache_seq_rm", ctypes.c_bool, [pointer, i32, i32, i32]),
        ("llama_model_size", ctypes.c_uint64, [pointer]),
        ("llama_model_n_params", ctypes.c_uint64, [pointer]),
        ("llama_n_layer", i32, [pointer]),
        ("llama_n_vocab", i32, [pointer]),
        ("llama_model_desc", i32, [pointer, ctypes.c_char_p, size]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib
