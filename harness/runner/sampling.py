"""One row's samples: taken until the mean is known well enough, the time is up, or the cap is reached. All are kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.engines.tools import Tools
from harness.errors import EngineError
from harness.records.case import Sampling
from harness.records.timing import Sample
from harness.runner.measure import Repetition
from harness.stats.interval import mean_interval
from harness.stats.warmup import detect

CONFIDENCE = 0.95
FEWEST_ON_BUDGET = 2
"""Two samples give an interval, however wide; only a sample longer than the whole budget stands alone."""
RETAKES = 6
RETAKE_SHARE = 1.0
"""Disturbed samples are retaken while they are at most RETAKES, or RETAKE_SHARE of the good ones: never for ever."""


@dataclass(frozen=True)
class Series:
    """A row's samples and why there are not more."""

    samples: tuple[Sample, ...]
    stopped_by: str


@dataclass(frozen=True)
class Sampler:
    """Takes the samples of a row. `report` hears of each as it is taken; `stop` says whether to end early."""

    repetition: Repetition
    tools: Tools
    sampling: Sampling
    budget_ns: int
    report: Callable[[Sample], None]
    stop: Callable[[], bool]

    def run(self) -> Series:
        """Errors: whatever the repetition raises."""
        samples: list[Sample] = []
        begin = before = self.tools.clock()
        while True:
            samples = mark_warmup([*samples, take_sample(self.repetition, self.tools)])
            self.report(samples[-1])
            now = self.tools.clock()
            reason = "interrupted" if self.stop() else self._reason(samples, now - begin, now - before)
            if reason:
                return Series(tuple(samples), reason)
            before = now

    def _reason(self, samples: Sequence[Sample], elapsed_ns: int, last_ns: int) -> str:
        """Why to stop now; empty to go on."""
        states = Counter(sample.state for sample in samples)
        good, bad = states["ok"], states["contended"] + states["throttled"]
        if good >= self.sampling.min_samples and self._precise(samples):
            return "precision"
        if len(samples) >= self.sampling.max_samples:
            return "max samples"
        over = elapsed_ns > self.budget_ns or (
            len(samples) >= FEWEST_ON_BUDGET and elapsed_ns + last_ns > self.budget_ns
        )
        if over:
            return "time budget"
        return "contention" if bad > max(RETAKES, RETAKE_SHARE * good) else ""

    def _precise(self, samples: Sequence[Sample]) -> bool:
        times = [sample.total_ns for sample in samples if sample.state == "ok"]
        return mean_interval(times, CONFIDENCE).half_width_relative <= self.sampling.precision


def take_sample(repetition: Repetition, tools: Tools) -> Sample:
    """One repetition between two looks at the machine. Errors: EngineError where the device broke under it."""
    alone = repetition.prepare()
    start_ns = tools.clock()
    mark = tools.probe.mark()
    timing = repetition.take()
    seen = tools.probe.between(mark, tools.probe.mark())
    if seen.broken:
        raise EngineError(f"{seen.broken}: what was measured with it does not count. Reset or restart the device.")
    state = "ok" if not seen.disturbed else "throttled" if seen.contention.throttle else "contended"
    return Sample(
        start_ns=start_ns,
        total_ns=timing.total_ns,
        n_tokens=timing.n_tokens,
        state=state,
        token_ns=timing.token_ns,
        contention=seen.contention,
        energy_j=seen.energy.joules if alone else None,
        energy_why=seen.energy.why if alone else "the engine fills its cache inside the observed time",
        telemetry=seen.telemetry,
        disturbed_by=seen.disturbed,
    )


def mark_warmup(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with the leading run that the later ones would not predict marked "warmup", judged afresh."""
    calm = [index for index, sample in enumerate(samples) if sample.state in ("ok", "warmup")]
    warm = set(calm[: detect([samples[index].total_ns for index in calm])])
    return [
        replace(sample, state="warmup" if index in warm else "ok") if index in calm else sample
        for index, sample in enumerate(samples)
    ]
