"""An engine whose times, noise, crashes and hangs are scripted: how the runner is tested without trusting a machine.

It loads no file and computes nothing. Its rows say `engine: fake`, and its version says which clock they were taken on.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.engines.misfortune import befall
from harness.engines.script import Moment, Script, read_script
from harness.engines.tools import Tools
from harness.records.case import Case
from harness.records.timing import Contention, LoadReport, Timing


@dataclass(frozen=True)
class _NoEnergy:
    joules: float | None = None
    why: str = "a fake uses no energy"


@dataclass(frozen=True)
class _Seen:
    contention: Contention = field(default_factory=Contention)
    disturbed: str = ""
    broken: str = ""
    energy: _NoEnergy = _NoEnergy()
    telemetry: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _ScriptedProbe:
    """Sees what the script says about the last timed call."""

    last: Callable[[], _Seen]

    def mark(self) -> None:
        """The script knows; there is nothing to read."""

    def between(self, _start: None, _end: None) -> _Seen:
        return self.last()

    def close(self) -> None:
        """Nothing is open."""


def _seen(*, contended: bool, throttled: bool) -> _Seen:
    if throttled:
        return _Seen(Contention(foreign_cpu=0.0, throttle=("scripted heat",)), "throttled: scripted heat")
    if contended:
        return _Seen(Contention(foreign_cpu=0.5), "other processes used half of the cores")
    return _Seen(Contention(foreign_cpu=0.0))


class FakeEngine:
    """Satisfies `Engine`. One seeded generator per case, so a case run twice reports the same numbers."""

    def __init__(self) -> None:
        self._script = Script()
        self._now_ns = 0
        self._factor = 1.0
        self._calls: Counter[str] = Counter()
        self._timed_calls = 0
        self._seen = _Seen()
        self._logits_kinds: tuple[str, ...] = ()
        self._random = np.random.default_rng(0)

    def tools(self, case: Case) -> Tools | None:
        """The clock and probe that belong to a virtual time; None on the real clock."""
        if read_script(case.fake).clock == "real":
            return None
        return Tools(clock=lambda: self._now_ns, probe=_ScriptedProbe(lambda: self._seen))

    def load(self, case: Case) -> LoadReport:
        """Errors: EngineError for a script that does not fit."""
        self._script = script = read_script(case.fake)
        effects = [effect for effect in script.effects if effect.applies(case.axes)]
        self._factor = float(np.prod([effect.factor for effect in effects]))
        self._logits_kinds = tuple(effect.logits for effect in effects)
        self._random = np.random.default_rng([script.seed, *case.case_id.encode()])
        if script.process_noise:
            self._factor *= float(np.exp(script.process_noise * self._random.standard_normal()))
        self._reach("load")
        total_ns = self._spend(script.load_ns)
        open_ns, first_ns = total_ns // 10, total_ns // 10
        return LoadReport(
            phase_ns={"open": open_ns, "read": total_ns - open_ns - first_ns, "first_token": first_ns},
            model_type="fake",
            model_size=0,
            model_n_params=0,
            n_layers=script.n_layers,
            n_vocab=script.n_vocab,
            devices=(case.axes.device,),
            engine_version=f"fake, {script.clock} clock",
        )

    def prefill(self, tokens: Sequence[int], depth: int) -> Timing:
        """As scripted; the whole batch has one noise."""
        call = self._reach("prefill")
        total_ns = self._spend(len(tokens) * self._script.prefill_token_ns * self._slowness(call, depth))
        return Timing(len(tokens), total_ns)

    def decode(self, tokens: Sequence[int], depth: int) -> Timing:
        """As scripted; every token has its own depth, the call one noise."""
        call = self._reach("decode")
        slowness = self._slowness(call, depth)
        each_ns = self._script.decode_token_ns * slowness
        token_ns = tuple(self._spend(each_ns * (1 + self._script.depth_slope * i)) for i in range(len(tokens)))
        return Timing(len(tokens), sum(token_ns), token_ns)

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Made from the tokens alone; the script's effects decide whether two sides agree."""
        self._reach("logits")
        shape = (len(tokens), self._script.n_vocab)
        made = np.random.default_rng(list(tokens)).normal(size=shape).astype(np.float32)
        if "close" in self._logits_kinds:
            made += np.float32(1e-3) * np.random.default_rng(1).normal(size=shape).astype(np.float32)
        if "wrong" in self._logits_kinds:
            made = made[:, ::-1].copy()
        if "nan" in self._logits_kinds:
            made[-1, -1] = np.nan
        return made

    def expert_counts(self) -> tuple[tuple[int, ...], ...]:
        """An even spread of as many tokens as there were calls."""
        return ((sum(self._calls.values()),) * self._script.n_experts,) * self._script.n_layers

    def close(self) -> None:
        self._reach("close")

    def _reach(self, moment: Moment) -> int:
        """Count a call; let happen what the script has for it. Errors: EngineError, OutOfMemoryError, and no return."""
        call = self._calls[moment]
        self._calls[moment] += 1
        for fault in self._script.faults:
            if (fault.at, fault.call) == (moment, call):
                befall(fault)
        return call

    def _slowness(self, call: int, depth: int) -> float:
        script, timed = self._script, self._timed_calls
        self._timed_calls += 1
        self._seen = _seen(contended=timed in script.contended, throttled=timed in script.throttled)
        warm = script.warmup[call] if call < len(script.warmup) else 1.0
        noise = float(np.exp(script.noise * self._random.standard_normal()))
        return self._factor * warm * noise * (1 + script.drift * timed) * (1 + script.depth_slope * depth)

    def _spend(self, wanted_ns: float) -> int:
        """Let `wanted_ns` pass on the script's clock; what passed by that clock."""
        if self._script.clock == "virtual":
            self._now_ns += round(wanted_ns)
            return round(wanted_ns)
        begin = time.perf_counter_ns()
        time.sleep(wanted_ns / 1e9)
        return time.perf_counter_ns() - begin
