"""Weights on several devices, each served by a backend of its own.

What runs a program depends on its devices: CPUs alone run in one native call, CUDA devices alone keep values among
themselves, any others have a thread each and pass values through the host's memory.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Borrows, Context, DeviceBackend, HoldsRows, Rows
from harness.core.compose.context import ComposedContext, Player
from harness.core.compose.teams import Team
from harness.core.options import Options
from harness.core.plan.layout import kind_of
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Program
from harness.core.program.rendezvous import lifetimes, turns
from harness.core.program.segments import Script, scripts

if TYPE_CHECKING:
    from harness.core.cpu import CpuBackend
    from harness.core.cuda.api import Communicator
    from harness.core.cuda.backend import CudaBackend


class ComposedBackend:
    """See `harness.core.backend.Backend`. `backends` and `teams` are by device; only CPU devices have a team."""

    def __init__(self, backends: Mapping[str, DeviceBackend], teams: Mapping[str, Team]) -> None:
        self._backends = dict(backends)
        self._teams = dict(teams)
        self._communicators: dict[tuple[str, ...], Communicator | None] = {}
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

    def rows_in_place(self, tensor: StoredTensor) -> NDArray[np.uint8] | None:
        backend = self._backends[tensor.device]
        return backend.rows_in_place(tensor) if isinstance(backend, HoldsRows) else None

    def borrow(self, tensor: StoredTensor, rows: Rows) -> None:
        cast("Borrows", self._backends[tensor.device]).borrow(tensor, rows)

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        self._backends[tensor.device].map(tensor, data)

    def context(self, program: Program, options: Options) -> Context:
        """Errors: as a device's; what the others had made by then is freed."""
        found = scripts(program)
        kinds = {kind_of(script.device) for script in found}
        if kinds == {"cpu"}:
            return self._together(program, found, options)
        if kinds in ({"cuda"}, {"cuda-emulated"}):
            return self._as_peers(program, found, options)
        return self._through_the_host(program, found, options)

    def close(self) -> None:
        for thread in self._threads.values():
            thread.shutdown()
        for communicator in self._communicators.values():
            if communicator is not None:
                communicator.close()
        self._communicators = {}
        for backend in self._backends.values():
            backend.close()

    def _through_the_host(self, program: Program, found: Sequence[Script], options: Options) -> Context:
        with ExitStack() as undo:
            players = []
            for script in found:
                players.append(self._player(script, options))
                undo.callback(players[-1].segments.close)
            undo.pop_all()
        return ComposedContext(program, players)

    def _player(self, script: Script, options: Options) -> Player:
        thread, chosen = self._threads[script.device], self._of_team(script.device, options)
        segments = thread.submit(self._backends[script.device].segments, script, chosen).result()
        return Player(script, segments, thread)

    def _together(self, program: Program, found: Sequence[Script], options: Options) -> Context:
        from harness.core.compose.together import ContextTogether  # noqa: PLC0415  needs the native part

        order = turns(program, found)
        members = []
        for script in found:
            device = script.device
            made = self._threads[device].submit(
                cast("CpuBackend", self._backends[device]).member,
                script,
                lifetimes(program, order, device),
                self._of_team(device, options),
            )
            members.append(made.result())
        return ContextTogether(program, order, members, options)

    def _as_peers(self, program: Program, found: Sequence[Script], options: Options) -> Context:
        from harness.core.compose.gathers import Gathers  # noqa: PLC0415  CPU devices need none of it
        from harness.core.compose.peers import ContextOfPeers  # noqa: PLC0415  as above

        order = turns(program, found)
        gathers = Gathers.of(program, order, self._communicator)
        members = [
            cast("CudaBackend", self._backends[script.device]).member(
                program, script, lifetimes(program, order, script.device), options, gathers.sums
            )
            for script in found
        ]
        return ContextOfPeers(program, order, members, gathers)

    def _communicator(self, devices: tuple[str, ...]) -> "Communicator | None":
        """Made once for all contexts, since it takes cards a while to find each other."""
        if devices not in self._communicators:
            ranks = [cast("CudaBackend", self._backends[name]).device for name in devices]
            self._communicators[devices] = ranks[0].communicator(ranks)
        return self._communicators[devices]

    def _of_team(self, device: str, options: Options) -> Options:
        team = self._teams.get(device)
        return options if team is None else replace(options, threads=team.n_threads)


def _stay_on(cores: Sequence[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)
