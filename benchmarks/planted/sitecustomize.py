"""Plants a slowdown in the real engine: every call of the sides that `aa.py` names takes so many percent longer.

Python imports this by itself in every process whose PYTHONPATH names this folder; nothing in harness knows of it.
$HARNESS_PLANTED is the share, such as 0.05. Sides whose case id ends in `-again` are slowed, in all their processes.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.records.timing import Timing

SHARE = float(os.environ.get("HARNESS_PLANTED", "0"))


def slowed(call: "Callable[..., Timing]") -> "Callable[..., Timing]":
    """`call`, then work for SHARE of its time; it spins, because sleeping is too coarse for a call of milliseconds."""

    def planted(engine: Any, tokens: Sequence[int], depth: int) -> "Timing":
        timing = call(engine, tokens, depth)
        if not engine.planted:
            return timing
        begin_ns = time.perf_counter_ns()
        end_ns = begin_ns + round(SHARE * timing.total_ns)
        while time.perf_counter_ns() < end_ns:
            pass
        extra_ns = time.perf_counter_ns() - begin_ns
        token_ns = (*timing.token_ns[:-1], timing.token_ns[-1] + extra_ns) if timing.token_ns else ()
        return replace(timing, total_ns=timing.total_ns + extra_ns, token_ns=token_ns)

    return planted


def plant() -> None:
    from harness.engines.core import CoreEngine  # noqa: PLC0415  most processes that start with this need no engine

    load = CoreEngine.load

    def loading(engine: Any, case: Any) -> Any:
        engine.planted = case.case_id.partition(".")[0].endswith("-again")  # the number of its process follows
        return load(engine, case)

    for name, call in (
        ("load", loading),
        ("prefill", slowed(CoreEngine.prefill)),
        ("decode", slowed(CoreEngine.decode)),
    ):
        setattr(CoreEngine, name, call)


if SHARE and "harness.runner.worker" in sys.orig_argv:
    plant()
