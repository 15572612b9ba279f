"""Engines by name. The parent asks only for names; an engine's module is imported in the worker alone."""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from harness.engines.protocol import Engine
from harness.errors import EngineError

ENGINES: Mapping[str, str] = {
    "core": "harness.engines.core:CoreEngine",
    "fake": "harness.engines.fake:FakeEngine",
    "ik_wheel": "harness.engines.ik_wheel:IkWheelEngine",
    "xllamacpp": "harness.engines.xllamacpp:XllamacppEngine",
    "llama_bench": "harness.engines.llama_bench:LlamaBenchEngine",
    "ik_wheel_second_context": "harness.engines.ik_wheel:IkSecondContextEngine",
}


def build(name: str) -> Engine:
    """A fresh engine, nothing loaded. Errors: EngineError for an unknown name or a package that is not installed."""
    kind = name.partition(":")[0]  # llama_bench:NAME is llama_bench with one of the executables the config names
    if kind not in ENGINES:
        raise EngineError(f"unknown engine {name!r}; there are {', '.join(ENGINES)}.")
    module, _, attribute = ENGINES[kind].partition(":")
    try:
        return cast("Engine", getattr(import_module(module), attribute)())
    except ImportError as error:
        why = f"engine {name} cannot be imported ({error}). A peer comes with `pip install harness[peers]`"
        raise EngineError(f"{why}; the core needs its native part: `make run` builds it.") from error
