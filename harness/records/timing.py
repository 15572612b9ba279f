"""What an engine reports about one call, and what the sampling loop makes of it. Times are integer nanoseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timing:
    """One timed call: `n_tokens` in `total_ns`; `token_ns` per generated token (empty for prefill)."""

    n_tokens: int
    total_ns: int
    token_ns: tuple[int, ...] = ()


@dataclass(frozen=True)
class LoadReport:
    """What loading took and made.

    `phase_ns`: open, metadata, plan, device, read, place, upload, first_token (those that apply).
    """

    phase_ns: Mapping[str, int]
    model_type: str
    model_size: int
    model_n_params: int
    n_layers: int
    n_vocab: int
    plan: Mapping[str, object] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    engine_version: str = ""


@dataclass(frozen=True)
class Contention:
    """What else used the machine during one sample. Shares are of the cores' time; None where not readable."""

    foreign_cpu: float | None = None
    pressure: float | None = None
    major_faults: int | None = None
    migrations: int | None = None
    mean_mhz: float | None = None
    throttle: tuple[str, ...] = ()
    waited: float | None = None  # time our threads, added up, waited for a core, over the sample's time


@dataclass(frozen=True)
class Sample:
    """One repetition. Only samples with `state` "ok" count; the others are kept and shown."""

    start_ns: int
    total_ns: int
    n_tokens: int
    state: str = "ok"  # ok | warmup | contended | throttled | invalid
    token_ns: tuple[int, ...] = ()
    contention: Contention = field(default_factory=Contention)
    energy_j: float | None = None
    energy_why: str = ""
    telemetry: Mapping[str, float] = field(default_factory=dict)  # means and peaks, e.g. gpu0.power_w
    disturbed_by: str = ""
    process: int = 0  # which of the case's processes took it; sides of a comparison share the number


@dataclass(frozen=True)
class Row:
    """One measurement of a case in llama-bench's terms: `n_prompt`, `n_gen` at `n_depth`, with every sample."""

    n_prompt: int
    n_gen: int
    n_depth: int
    samples: tuple[Sample, ...]
    stopped_by: str = ""  # precision | time budget | max samples
    macs_per_token: int | None = None
    bytes_per_token: int | None = None

    @property
    def test(self) -> str:
        """pp512, tg128, pp512+tg128, load; with ` @ d512`."""
        parts = ([f"pp{self.n_prompt}"] if self.n_prompt else []) + ([f"tg{self.n_gen}"] if self.n_gen else [])
        return ("+".join(parts) or "load") + (f" @ d{self.n_depth}" if self.n_depth else "")

    @property
    def counted(self) -> tuple[Sample, ...]:
        """The samples that count; contended ones only where nothing better exists."""
        for wanted in ("ok", "throttled", "contended"):
            chosen = tuple(s for s in self.samples if s.state == wanted)
            if chosen:
                return chosen
        return ()
