"""What the runner asks of an engine. An engine lives in a worker process and serves one case."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.records.case import Case
from harness.records.profile import OpTime
from harness.records.timing import LoadReport, Timing


class Engine(Protocol):
    """PP and TG are timed as llama-bench does: from the call to the synchronised end, KV cache already at `depth`.

    Filling the cache to `depth` and clearing it happen outside the timed part, with the case's own tokens
    (`harness.engines.stream`). Errors are those of `harness.errors`.
    """

    def load(self, case: Case) -> LoadReport:
        """Load the model to its first logits, every page touched. After `close` it may be called again."""
        ...

    def prefill(self, tokens: Sequence[int], depth: int) -> Timing:
        """Process `tokens` with `depth` tokens already in the cache."""
        ...

    def decode(self, tokens: Sequence[int], depth: int) -> Timing:
        """Feed `tokens` one by one from `depth` on; `token_ns` has one entry per token."""
        ...

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """[n_tokens, n_vocab] from an empty cache."""
        ...

    def expert_counts(self) -> tuple[tuple[int, ...], ...]:
        """Per layer the number of (token, expert) pairs routed to each expert so far; () where unknown."""
        ...

    def close(self) -> None:
        """Free everything. Never raises."""
        ...


@runtime_checkable
class FillsAhead(Protocol):
    """An engine that can fill its cache apart from the timed call: what is observed around that call is it alone."""

    def fill(self, depth: int) -> None:
        """Bring the cache to exactly `depth` of the case's own tokens."""
        ...


@runtime_checkable
class KnowsCosts(Protocol):
    """An engine that can say what work a row is."""

    def cost(self, n_prompt: int, n_gen: int, depth: int) -> tuple[int, int]:
        """Per token of the row: multiply-accumulates, and bytes of weights and KV cache read or written."""
        ...


@runtime_checkable
class TimesOps(Protocol):
    """An engine that can time the operations inside a call."""

    def op_times(self, n_prompt: int, n_gen: int, depth: int) -> tuple[OpTime, ...]:
        """One repetition of a row with the case's own tokens. Errors: EngineError where the device cannot."""
        ...
