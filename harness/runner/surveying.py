"""What a worker does to survey a machine: the limits of its CPU, then of each card that cases will run on."""

from collections.abc import Sequence
from dataclasses import replace

from harness.core.limits import device_limits
from harness.errors import EXPECTED
from harness.records.record import Limits, Status
from harness.runner.events import Note, Phase, Surveyed
from harness.runner.link import Link
from harness.telemetry.limits import measure


def survey(threads: Sequence[int], devices: Sequence[str], link: Link) -> Status:
    """Measure and report. A card that cannot be measured is said and has no limits. Errors: EngineError."""
    link.emit(Phase("survey"))
    found = measure(threads)
    for device in devices:
        found = _with_device(found, device, link)
    link.emit(Surveyed(found))
    return "ok"


def _with_device(found: Limits, device: str, link: Link) -> Limits:
    try:
        limits = device_limits(device)
    except EXPECTED as error:
        link.emit(Note(f"No row on {device} will show its share of the limits: {error}"))
        return found
    if limits is None:
        return found
    return replace(
        found,
        bandwidth={**found.bandwidth, f"copy, {device}": limits.copy_bytes_per_s},
        rate={**found.rate, f"int8 mma, {device}": limits.int8_macs_per_s},
    )
