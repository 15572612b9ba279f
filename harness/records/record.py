"""What was measured: one JSON object per case. The arrow from runner to store, statistics and report.

`SCHEMA` counts changes of this shape; readers accept every older one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.records.case import Case
from harness.records.timing import LoadReport, Row

SCHEMA = 1

Status = Literal["ok", "failed", "oom", "timeout", "crashed", "invalid", "skipped", "interrupted"]


@dataclass(frozen=True)
class Failure:
    """Why a case has no result: `kind` of error, the sentence, the last phase, the end of its stderr."""

    kind: str
    message: str
    phase: str = ""
    stderr_tail: str = ""


@dataclass(frozen=True)
class Fingerprint:
    """The machine, without names, serials or environment. `device_class` groups machines that may be compared."""

    cpu_info: str = ""
    gpu_info: str = ""
    n_cores: int = 0
    memory_bytes: int = 0
    os: str = ""
    kernel: str = ""
    governor: str = ""
    driver: str = ""
    compiler: str = ""
    python: str = ""
    simd: str = ""
    device_class: str = ""


@dataclass(frozen=True)
class Limits:
    """What the machine can do at most, measured in this session: bytes/s and multiply-accumulates/s by name."""

    bandwidth: Mapping[str, float] = field(default_factory=dict)
    rate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Equivalence:
    """Whether an axis that must not change results did: verdict "identical", "close", "INVALID" or "not checked"."""

    verdict: str = "not checked"
    against: str = ""
    max_abs: float | None = None
    kl: float | None = None
    top1: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Record:
    """One case's outcome."""

    case: Case
    status: Status
    run: str
    test_time: str  # ISO 8601, UTC
    rows: tuple[Row, ...] = ()
    load: LoadReport | None = None
    load_ns: tuple[int, ...] = ()  # to the first logits, one per load in this case
    ttft_ns: int | None = None
    rss_peak_bytes: int | None = None
    vram_peak_bytes: int | None = None
    expert_counts: tuple[tuple[int, ...], ...] = ()
    equivalence: Equivalence = field(default_factory=Equivalence)
    limits: Limits = field(default_factory=Limits)
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    harness_commit: str = ""
    build_commit: str = ""  # of the engine
    build_number: int = 0
    error: Failure | None = None
    schema: int = SCHEMA
    imported_from: str = ""
    foreign: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)  # an imported row as it came
    resume_key: str = ""  # what --resume compares: case, model file, engine build


@dataclass(frozen=True)
class RunInfo:
    """What a run folder's run.json holds: the config as text, what was chosen, what was left out."""

    run: str
    config_name: str
    config_text: str
    command: tuple[str, ...]
    started: str
    cases: tuple[Case, ...]
    notes: tuple[tuple[str, str], ...] = ()
    harness_commit: str = ""
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    limits: Limits = field(default_factory=Limits)
    schema: int = SCHEMA
