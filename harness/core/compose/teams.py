"""Which cores each CPU device has, and how many threads: usable cores dealt out in runs, one device after another."""

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Team:
    """The cores of one `cpu:N`. There may be more threads than cores, where there are more devices than cores."""

    cores: tuple[int, ...]
    n_threads: int


def deal_cores(devices: Sequence[str], n_threads: int) -> dict[str, Team]:
    """`n_threads` (0: one per usable core) over CPU devices as evenly as it goes, at least one each."""
    usable = sorted(os.sched_getaffinity(0))
    total, first, teams = n_threads or len(usable), 0, {}
    for index, device in enumerate(devices):
        count = max(1, total // len(devices) + (index < total % len(devices)))
        cores = {usable[(first + i) % len(usable)] for i in range(count)}
        teams[device] = Team(tuple(sorted(cores)), count)
        first += count
    return teams
