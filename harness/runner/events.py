"""What a worker tells its parent: a JSON line per event, on a pipe of its own: nothing an engine prints can be one."""

import json
from dataclasses import asdict, dataclass
from typing import get_args

from harness.records.json import from_json
from harness.records.profile import OpTime
from harness.records.record import Equivalence, Limits, Status
from harness.records.timing import LoadReport, Row, Sample


@dataclass(frozen=True)
class Phase:
    """The worker begins `name`: start, load, equivalence, a row's test, close."""

    name: str


@dataclass(frozen=True)
class Heartbeat:
    """CPU time used and bytes read so far, every second, from a thread of its own. Neither grows in a stuck worker."""

    cpu_ns: int
    read_bytes: int


@dataclass(frozen=True)
class Loaded:
    """The model is loaded, to its first logits."""

    report: LoadReport


@dataclass(frozen=True)
class Sampled:
    """One more sample of a row; its state may still become "warmup"."""

    n_prompt: int
    n_gen: int
    n_depth: int
    sample: Sample


@dataclass(frozen=True)
class Priced:
    """What a token of a row costs, where the engine knows; a serving worker says it before the row's first sample."""

    n_prompt: int
    n_gen: int
    n_depth: int
    macs_per_token: int
    bytes_per_token: int


@dataclass(frozen=True)
class RowDone:
    """A row is final."""

    row: Row


@dataclass(frozen=True)
class Experts:
    """(token, expert) pairs per layer and expert over the whole case."""

    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Compared:
    """What the equivalence pass found."""

    equivalence: Equivalence


@dataclass(frozen=True)
class Peaks:
    """High-water marks so far."""

    rss_bytes: int | None
    vram_bytes: int | None


@dataclass(frozen=True)
class OpsTimed:
    """Every operation of a row, timed over one repetition."""

    ops: tuple[OpTime, ...]


@dataclass(frozen=True)
class Surveyed:
    """What the machine can do at most, for a survey job."""

    limits: Limits


@dataclass(frozen=True)
class Note:
    """A sentence for the person who waits."""

    text: str


@dataclass(frozen=True)
class Done:
    """The job is finished: ok, invalid or interrupted."""

    status: Status


@dataclass(frozen=True)
class Failed:
    """The job cannot go on; `status` failed or oom."""

    status: Status
    kind: str
    message: str


Event = (
    Phase
    | Heartbeat
    | Loaded
    | Sampled
    | Priced
    | RowDone
    | Experts
    | Compared
    | Peaks
    | OpsTimed
    | Surveyed
    | Note
    | Done
    | Failed
)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def encode(event: Event) -> bytes:
    """One line. Errors: ValueError for NaN or infinity."""
    body = {"event": type(event).__name__, **asdict(event)}
    return json.dumps(body, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def decode(line: bytes) -> Event:
    """The event in `line`. Errors: ValueError for anything else."""
    body = json.loads(line)
    kind = KINDS.get(body.get("event", "")) if isinstance(body, dict) else None
    if kind is None:
        raise ValueError(f"no event: {line[:80]!r}")
    event: Event = from_json(kind, line)
    return event
