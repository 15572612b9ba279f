"""The fake engine's script: every duration, disturbance and misfortune of a case, as JSON in `Case.fake`."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, ValidationError

from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.json import from_json

Moment = Literal["load", "prefill", "decode", "logits", "close"]
FaultKind = Literal["segv", "abort", "kill", "exit", "hang", "spin", "stop", "error", "oom", "flood", "grandchild"]

STRICT = ConfigDict(extra="forbid")  # a typing error in a script must not make a test prove nothing


@dataclass(frozen=True)
class Fault:
    """What befalls the process at the `call`-th call of `at`.

    flood writes `n_bytes` to stdout and stderr each, grandchild leaves a process behind, and both go on; the rest end
    the work: hang sleeps, spin burns a core, stop freezes the whole process. `deaf` ignores SIGINT and SIGTERM from
    then on; `own_session` takes the grandchild out of the worker's process group.
    """

    __pydantic_config__ = STRICT

    kind: FaultKind
    at: Moment = "prefill"
    call: int = 0
    code: int = 7
    n_bytes: int = 1 << 20
    deaf: bool = False
    own_session: bool = False


@dataclass(frozen=True)
class Effect:
    """What a value of an axis does: times are multiplied by `factor`, logits become `logits`."""

    __pydantic_config__ = STRICT

    axis: str
    value: bool | int | float | str
    factor: float = 1.0
    logits: Literal["same", "close", "wrong", "nan"] = "same"

    def applies(self, axes: Axes) -> bool:
        """Whether the case stands at this value."""
        return bool(getattr(axes, self.axis) == self.value)


@dataclass(frozen=True)
class Script:
    """Times are nanoseconds. Noise, drift and depth are relative; `warmup` multiplies the first calls of each kind.

    `noise` is drawn for every call, `process_noise` once for each process.

    clock "virtual": nothing sleeps, the reported times are the scripted ones and the clock of the sampling loop moves
    with them. clock "real": the engine sleeps that long and reports what the monotonic clock says.
    `contended`, `throttled`: numbers of timed calls, counted over the case, during which the probe reports trouble.
    """

    __pydantic_config__ = STRICT

    clock: Literal["virtual", "real"] = "virtual"
    load_ns: int = 5_000_000
    prefill_token_ns: int = 100_000
    decode_token_ns: int = 1_000_000
    depth_slope: float = 0.0001
    noise: float = 0.0
    process_noise: float = 0.0
    drift: float = 0.0
    warmup: tuple[float, ...] = ()
    seed: int = 0
    contended: tuple[int, ...] = ()
    throttled: tuple[int, ...] = ()
    n_vocab: int = 64
    n_layers: int = 2
    n_experts: int = 4
    effects: tuple[Effect, ...] = ()
    faults: tuple[Fault, ...] = ()


def read_script(text: str) -> Script:
    """The script in `text`, "" for the default one. Errors: EngineError."""
    try:
        return from_json(Script, text or "{}")
    except ValidationError as error:
        raise EngineError(f"the fake engine's script does not fit: {error}") from error
