"""The machine as its fingerprint tells it, and what it can do at most, measured in the same session."""

from collections.abc import Sequence

from harness.records.record import Fingerprint, Limits, Record
from harness.report import numbers
from harness.report.blocks import Block, Fold, Section
from harness.report.table import Table, named_rows


def section(fingerprints: Sequence[Fingerprint], limits: Limits) -> Section:
    """One table per distinct fingerprint; a run resumed elsewhere has two."""
    tables = [_machine_table(number, fingerprint) for number, fingerprint in enumerate(fingerprints)]
    blocks: tuple[Block, ...] = (*tables, *_limits_fold(limits))
    return Section("machine", "Machine", "Machine", blocks)


def distinct(records: Sequence[Record]) -> tuple[Fingerprint, ...]:
    """The machines of these records in order of first appearance, without empty ones."""
    return tuple(f for f in dict.fromkeys(record.fingerprint for record in records) if f != Fingerprint())


def one_line(fingerprint: Fingerprint) -> str:
    """The machine in one line: GPU if there is one, CPU, cores, memory."""
    memory = numbers.size(fingerprint.memory_bytes) if fingerprint.memory_bytes else ""
    cores = f"{fingerprint.n_cores} cores" if fingerprint.n_cores else ""
    parts = (fingerprint.gpu_info, fingerprint.cpu_info, cores, memory)
    return ", ".join(part for part in parts if part) or "unknown machine"


def _machine_table(number: int, machine: Fingerprint) -> Table:
    return named_rows(
        f"machine-{number}",
        "What the run saw of the machine",
        ("what", "value"),
        (
            ("CPU", machine.cpu_info),
            ("GPU", machine.gpu_info or "none seen"),
            ("cores used", str(machine.n_cores or "")),
            ("memory", numbers.size(machine.memory_bytes) if machine.memory_bytes else ""),
            ("instruction set", machine.simd),
            ("frequency governor", machine.governor),
            ("operating system", machine.os),
            ("kernel", machine.kernel),
            ("GPU driver", machine.driver),
            ("compiler", machine.compiler),
            ("Python", machine.python),
            ("class for comparisons", machine.device_class),
        ),
    )


def _limits_fold(limits: Limits) -> tuple[Fold, ...]:
    rows = [(f"bandwidth, {name}", numbers.si(value, "B/s")) for name, value in limits.bandwidth.items()]
    rows += [(f"rate, {name}", numbers.si(value, "MAC/s")) for name, value in limits.rate.items()]
    if not rows:
        return ()
    table = named_rows("limits", "Measured in the same session", ("limit", "value"), rows)
    return (Fold("What this machine can do at most", (table,)),)
