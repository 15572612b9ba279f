"""Cuts rows, heads or columns into what each device gets. Shares are ascending, disjoint, and cover everything."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.errors import PlanError


@dataclass(frozen=True)
class Share:
    """`count` of something from `first` on belong to `device`."""

    device: str
    first: int
    count: int


def share_out(total: int, unit: int, devices: Sequence[str], weights: Sequence[float]) -> tuple[Share, ...]:
    """`total` in whole units (the last may be short) by weight; largest remainders first, ties to the earlier device.

    A device that gets nothing has no share.
    """
    n_units = -(-total // unit)
    exact = [n_units * weight / sum(weights) for weight in weights]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: n_units - sum(counts)]:
        counts[i] += 1
    shares, first = [], 0
    for device, count in zip(devices, counts, strict=True):
        end = min(total, first + count * unit)
        if end > first:
            shares.append(Share(device, first, end - first))
        first = end
    return tuple(shares)


def in_runs(n_items: int, devices: Sequence[str], weights: Sequence[float]) -> tuple[str, ...]:
    """One device for each of `n_items` in a row, as llama.cpp deals layers: item i to that whose part holds i/n."""
    ends = [sum(weights[: i + 1]) / sum(weights) for i in range(len(weights))]
    return tuple(
        devices[next((d for d, end in enumerate(ends) if end > i / n_items), len(devices) - 1)] for i in range(n_items)
    )


def checked_weights(tensor_split: Sequence[float], n_devices: int) -> tuple[float, ...]:
    """One weight per device, equal ones if none are given. Errors: PlanError."""
    if not tensor_split:
        return (1.0,) * n_devices
    if len(tensor_split) != n_devices:
        raise PlanError(
            f"tensor_split has {len(tensor_split)} numbers for {n_devices} devices; give one number per device"
        )
    if min(tensor_split) < 0 or sum(tensor_split) <= 0:
        listed = ", ".join(f"{share:g}" for share in tensor_split)
        raise PlanError(f"tensor_split is {listed}; its numbers are shares: none negative, at least one above 0")
    return tuple(tensor_split)
