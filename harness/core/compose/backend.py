"""Weights on several devices, each served by a backend of its own.

A device is used from one thread alone, which for a `cpu:N` stays on that device's cores.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import DeviceBackend
from harness.core.compose.context import ComposedContext, Player
from harness.core.compose.teams import Team
from harness.core.options import Options
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Program
from harness.core.program.segments import Script, scripts


class ComposedBackend:
    """See `harness.core.backend.Backend`. `backends` and `teams` are by device; only CPU devices have a team."""

    def __init__(self, backends: Mapping[str, DeviceBackend], teams: Mapping[str, Team]) -> None:
        self._backends = dict(backends)
        self._teams = dict(teams)
        self._threads = {
            device: ThreadPoolExecutor(
                1, device, _stay_on, (self._teams[device].cores if device in self._teams else (),)
            )
            for device in backends
        }

    def allocate(self, tensor: StoredTensor) -> None:
        self._backends[tensor.device].allocate(tensor)

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        self._backends[tensor.device].place(tensor, first_row, rows)

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        self._backends[tensor.device].map(tensor, data)

    def context(self, program: Program, options: Options) -> ComposedContext:
        """Errors: as a device's; what the others had made by then is freed."""
        with ExitStack() as undo:
            players = []
            for script in scripts(program):
                players.append(self._player(script, options))
                undo.callback(players[-1].segments.close)
            undo.pop_all()
        return ComposedContext(program, players)

    def close(self) -> None:
        for thread in self._threads.values():
            thread.shutdown()
        for backend in self._backends.values():
            backend.close()

    def _player(self, script: Script, options: Options) -> Player:
        thread, team = self._threads[script.device], self._teams.get(script.device)
        chosen = options if team is None else replace(options, threads=team.n_threads)
        segments = thread.submit(self._backends[script.device].segments, script, chosen).result()
        return Player(script, segments, thread)


def _stay_on(cores: Sequence[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)
