"""A test as the measurements it consists of, in the order they are taken. What counts is the engine's own timing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from harness.engines.protocol import Engine, FillsAhead
from harness.records.case import Test
from harness.records.timing import Row, Timing


@dataclass(frozen=True)
class Repetition:
    """What is done for one sample. `prepare` is not part of it; it says whether `take` is the timed part alone."""

    prepare: Callable[[], bool]
    take: Callable[[], Timing]


@dataclass(frozen=True)
class Measurement:
    """`n_prompt` tokens processed, then `n_gen` fed one by one, with `n_depth` in the cache before."""

    n_prompt: int
    n_gen: int
    n_depth: int

    @property
    def name(self) -> str:
        """llama-bench's name of the row."""
        return Row(self.n_prompt, self.n_gen, self.n_depth, ()).test

    def repetition(self, engine: Engine, stream: Sequence[int]) -> Repetition:
        """The measurement on an engine, with the tokens of `stream` at their own positions: the cache stays valid."""
        return Repetition(partial(self._prepare, engine), partial(self._take, engine, stream))

    def _prepare(self, engine: Engine) -> bool:
        """Fill the cache ahead; False if the engine can only do so inside the call."""
        if isinstance(engine, FillsAhead):
            engine.fill(self.n_depth)
            return True
        return self.n_depth == 0

    def _take(self, engine: Engine, stream: Sequence[int]) -> Timing:
        middle = self.n_depth + self.n_prompt
        end = middle + self.n_gen
        timings = []
        if self.n_prompt:
            timings.append(engine.prefill(stream[self.n_depth : middle], self.n_depth))
        if self.n_gen:
            timings.append(engine.decode(stream[middle:end], middle))
        return Timing(
            n_tokens=sum(timing.n_tokens for timing in timings),
            total_ns=sum(timing.total_ns for timing in timings),
            token_ns=timings[-1].token_ns,
        )


def measurements(test: Test) -> tuple[Measurement, ...]:
    """The rows of `test`; a sweep has two per depth, generation before prompt, as llama-sweep-bench takes them."""
    rows: list[Measurement] = []
    for depth in test.depths:
        if test.kind == "sweep":
            rows += [Measurement(0, test.n_gen, depth), Measurement(test.n_prompt, 0, depth)]
        elif test.kind == "pp":
            rows.append(Measurement(test.n_prompt, 0, depth))
        elif test.kind == "tg":
            rows.append(Measurement(0, test.n_gen, depth))
        elif test.kind == "pg":
            rows.append(Measurement(test.n_prompt, test.n_gen, depth))
    return tuple(row for row in rows if row.n_prompt or row.n_gen)
