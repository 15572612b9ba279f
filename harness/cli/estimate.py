"""Rough figures for a run that has not happened: time, memory, disk. Estimates, and always labelled so.

Time is the larger of work over rate and bytes over bandwidth, with the round numbers below. How often a figure is
sampled is bounded by the config's time budget.
"""

import os
from dataclasses import dataclass

from harness.cli.headers import Planned
from harness.core.plan.lending import room_bytes
from harness.core.program.costs import Cost, row_cost
from harness.core.program.op import Program
from harness.records.case import Case
from harness.runner.measure import Measurement, measurements

START_S = 1.5
"""A worker's start and its look at the machine."""

LIKELY_SAMPLES = 12
"""A quiet machine needs about so many for half a percent."""


@dataclass(frozen=True)
class Machine:
    """What one device does per second, in round numbers; `read_bytes` is how fast a file reaches it."""

    macs: float
    bandwidth_bytes: float
    launch_s: float
    read_bytes: float = 1.0e9


@dataclass(frozen=True)
class Estimate:
    """Of one case."""

    seconds: float
    memory_bytes: float


def machine(device: str, threads: int = 0) -> Machine:
    """Round numbers for a sort of device; a CPU's grow with the cores that `threads` (0: all) take."""
    kind, usable = device.partition(":")[0], len(os.sched_getaffinity(0))
    cores = min(threads or usable, usable)
    if kind == "cuda":
        return Machine(6e13, 8e11, 4e-6)
    if kind == "cpu":
        return Machine(2.5e10 * cores, min(5e9 * cores, 6e10), 2e-6)
    return Machine(5e8, 1e9, 1e-4)


def estimate(case: Case, planned: Planned) -> Estimate:
    """Of one case on the device it names."""
    rates, budget_s = machine(case.axes.device, case.axes.threads), case.sampling.time_budget_ns / 1e9
    rows = measurements(case.test)
    load_s = planned.file_bytes / rates.read_bytes
    starts_s = (START_S + load_s) * (case.sampling.processes if case.comparison else 1)
    if not rows:
        return Estimate(starts_s + min(budget_s, LIKELY_SAMPLES * load_s), _memory(planned))
    sampled_s = sum(_row_seconds(row, planned, rates, budget_s / len(rows), case) for row in rows)
    return Estimate(starts_s + sampled_s, _memory(planned))


def _row_seconds(row: Measurement, planned: Planned, rates: Machine, budget_s: float, case: Case) -> float:
    once_s = _seconds(row_cost(planned.program, planned.plan, row.n_prompt, row.n_gen, row.n_depth), rates)
    fill_s = _seconds(row_cost(planned.program, planned.plan, row.n_depth, 0), rates) if row.n_depth else 0.0
    samples = min(max(LIKELY_SAMPLES, case.sampling.min_samples), case.sampling.max_samples)
    return fill_s + once_s + max(once_s, min(samples * once_s, budget_s))


def _seconds(cost: Cost, rates: Machine) -> float:
    moved = (cost.weight_bytes + cost.kv_bytes) / rates.bandwidth_bytes
    return max(cost.macs / rates.macs, moved) + cost.launches * rates.launch_s


def _memory(planned: Planned) -> float:
    weights = sum(tensor.n_bytes for tensor in planned.plan.tensors) + sum(room_bytes(planned.plan.borrowed).values())
    return weights + _kv_bytes(planned.program, planned.plan.options.n_ctx)


def _kv_bytes(program: Program, n_ctx: int) -> int:
    return sum(2 * n_ctx * slot.n_head_kv * (slot.head_dim + slot.head_dim_v) for slot in program.kv_slots)
