"""NCCL through CuPy: cards of one process send each other pieces all at once. It is imported where cards ask for it.

Bytes are moved and nothing is added up: NCCL's own sums depend on the number of cards and the algorithm it picks.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from harness.core.cuda.api import Address
from harness.core.errors import DeviceError


class Card(Protocol):
    """What NCCL has to know of a card."""

    @property
    def index(self) -> int: ...

    @property
    def stream_pointer(self) -> int:
        """The cudaStream_t that everything is enqueued on."""
        ...

    def pointer(self, address: Address) -> int:
        """The device pointer."""
        ...


class NcclCommunicator:
    """See `harness.core.cuda.api.Communicator`. Errors: DeviceError where the cards cannot be joined."""

    def __init__(self, nccl: Any, cards: Sequence[Card]) -> None:
        self._nccl = nccl  # the module cupy.cuda.nccl
        self._cards = tuple(cards)
        self._ranks: list[Any] = []  # cupy.cuda.nccl.NcclCommunicator of each card
        with self._errors("joining the cards"):
            self._ranks = nccl.NcclCommunicator.initAll([card.index for card in cards])

    def all_gather(self, pieces: Sequence[Address], to: Sequence[Address], n_bytes: int) -> None:
        """One group, since a call by itself would wait for those of the other cards, which this thread has to make."""
        parts = zip(self._ranks, self._cards, pieces, to, strict=True)
        with self._errors("exchanging pieces"), self._group():
            for rank, card, piece, landing in parts:
                addresses = card.pointer(piece), card.pointer(landing)
                rank.allGather(*addresses, n_bytes, self._nccl.NCCL_INT8, card.stream_pointer)

    def close(self) -> None:
        for rank in self._ranks:
            rank.destroy()
        self._ranks = []

    @contextmanager
    def _group(self) -> Iterator[None]:
        self._nccl.groupStart()
        try:
            yield
        finally:
            self._nccl.groupEnd()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turns NCCL's errors into one sentence."""
        try:
            yield
        except self._nccl.NcclError as error:
            names = ", ".join(f"cuda:{card.index}" for card in self._cards)
            raise DeviceError(
                f"NCCL failed on {names} while {doing}: {error}; with NCCL_DEBUG=INFO in the environment it says why, "
                "and where NCCL is not installed cards copy from each other instead"
            ) from error


def joined(cards: Sequence[Card]) -> NcclCommunicator | None:
    """The cards in order of rank; None where they are no two different ones or CuPy finds no NCCL."""
    if len({card.index for card in cards}) < max(2, len(cards)):
        return None
    nccl = _binding()
    return NcclCommunicator(nccl, cards) if nccl.available else None


def _binding() -> Any:
    """CuPy's, which warns where the library is missing; copies take its place then, so that is no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("cupy.cuda.nccl")
