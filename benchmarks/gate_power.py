"""How often the nightly gate cries wolf and how often it finds a slowdown, on simulated nights.

The noise is in this file. A session's log speed is the sum of
  case        its level, and its own share of the session noise (log-normal around 1),
  night       a mood all cases of a night share,
  own night   a mood a case keeps for a night, re-runs included; 0 unless asked for,
  session     a fresh draw for every process,
  repetition  the mean of a few draws inside the process,
  spike       with a small chance, a session that something else disturbed.
The gate is harness.stats.gate, with the rules the command line uses.

    python benchmarks/gate_power.py --suites 1000
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.cli.rerun import COMPANY_WANTED
from harness.stats.gate import again, judge
from harness.stats.judgement import Judgement, Rules
from harness.stats.nights import SeriesNights


@dataclass(frozen=True)
class Noise:
    """Standard deviations in log units; `spike_low` to `spike_high`: what a disturbed session loses."""

    session: float = 0.005
    repetition: float = 0.003
    repetitions: int = 5
    night: float = 0.002
    own_night: float = 0.0
    case: float = 0.3
    spike_chance: float = 0.02
    spike_low: float = 0.03
    spike_high: float = 0.15


@dataclass(frozen=True)
class Suite:
    """`cases` series over `nights` nights before the one judged, which loses `slowdown` in `slowed` of its cases.

    `turns`: the pairs of processes in which suspects take turns with the baseline's build; 0 without one.
    """

    cases: int = 150
    nights: int = 20
    slowdown: float = 0.0
    slowed: int = 0
    turns: int = 0


@dataclass(frozen=True)
class Tally:
    """What came of many suites: those with a false alarm, those with something that could not be told, alarms by case.

    `unsure`: slowed cases that could not be told. `reruns`: cases that ran again.
    """

    suites: int
    suites_alarmed: int
    suites_unsure: int
    false_alarms: int
    found: int
    missed: int
    unsure: int
    reruns: int

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


NOTHING = Tally(0, 0, 0, 0, 0, 0, 0, 0)


def sessions(rng: np.random.Generator, noise: Noise, scale: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """[len(scale), n] fresh sessions around 0; `scale` is each case's share of the session noise."""
    spread = np.hypot(noise.session * scale, noise.repetition / math.sqrt(noise.repetitions))
    values = rng.normal(0.0, 1.0, (scale.size, n)) * spread[:, None]
    spiked = rng.random(values.shape) < noise.spike_chance
    return np.where(spiked, values + np.log1p(-rng.uniform(noise.spike_low, noise.spike_high, values.shape)), values)


def one_suite(rng: np.random.Generator, suite: Suite, noise: Noise, rules: Rules) -> Tally:
    """Simulate the nights, let the gate ask for re-runs, and count what it says."""
    scale = np.exp(rng.normal(0.0, noise.case, suite.cases))
    mood = rng.normal(0.0, noise.night, suite.nights + 1) + rng.normal(
        0.0, noise.own_night, (suite.cases, suite.nights + 1)
    )
    night = rng.uniform(1.0, 6.0, suite.cases)[:, None] + mood
    night[: suite.slowed, -1] += math.log1p(-suite.slowdown)
    first = night + sessions(rng, noise, scale, suite.nights + 1)
    fresh = night[..., None] + sessions(rng, noise, np.repeat(scale, suite.nights + 1), rules.reruns).reshape(
        *night.shape, -1
    )
    asked = first < np.median(first, axis=1)[:, None] - SCREEN_SD * noise.session * scale[:, None]
    series = [
        SeriesNights(
            str(i), tuple(_night(first[i, j], fresh[i, j], asked[i, j]) for j in range(suite.nights)), first[i, -1]
        )
        for i in range(suite.cases)
    ]
    wanted = again(series, rules)
    measured = (*wanted.suspects, *wanted.company[:COMPANY_WANTED])
    reruns = {name: {str(k): float(v) for k, v in enumerate(fresh[int(name), -1])} for name in measured}
    turns = in_turns(rng, suite, noise, scale, wanted.suspects)
    return counted(judge(series, reruns, rules, turns=turns), suite.slowed, len(wanted.suspects))


def in_turns(
    rng: np.random.Generator, suite: Suite, noise: Noise, scale: NDArray[np.float64], suspects: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Both builds in the same mood, each process with a draw of its own: what a pair of them differs by."""
    if not suite.turns or not suspects:
        return {}
    numbers = np.array([int(name) for name in suspects])
    ours, theirs = (sessions(rng, noise, scale[numbers], suite.turns) for _ in range(2))
    slower = np.where(numbers < suite.slowed, math.log1p(-suite.slowdown), 0.0)
    pairs = ours - theirs + slower[:, None]
    return {name: {str(k): float(v) for k, v in enumerate(own)} for name, own in zip(suspects, pairs, strict=True)}


SCREEN_SD = 1.7
"""In the nights before, sessions this far below were suspects too and have re-runs; tonight's are the gate's choice."""


def _night(first: float, fresh: NDArray[np.float64], asked: bool) -> tuple[float, ...]:
    return (float(first), *fresh.tolist()) if asked else (float(first),)


def counted(judgements: Sequence[Judgement], slowed: int, n_suspects: int) -> Tally:
    alarms = {int(j.series_id) for j in judgements if j.outcome == "SLOWER"}
    unsure = {int(j.series_id) for j in judgements if j.outcome == "CANNOT TELL"}
    found = sum(i < slowed for i in alarms)
    false = len(alarms) - found
    return Tally(
        1, int(false > 0), int(bool(unsure)), false, found, slowed - found, sum(i < slowed for i in unsure), n_suspects
    )


def simulate(suite: Suite, noise: Noise, *, suites: int, seed: int = 1, rules: Rules | None = None) -> Tally:
    """`suites` independent suites."""
    tally = NOTHING
    for child in np.random.SeedSequence(seed).spawn(suites):
        tally += one_suite(np.random.default_rng(child), suite, noise, rules or Rules())
    return tally


def wilson(hits: int, n: int) -> str:
    """A share with its 95 % interval."""
    if not n:
        return "-"
    z, p = 1.96, hits / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return f"{p:7.2%} [{(centre - half) / (1 + z * z / n):.2%}, {(centre + half) / (1 + z * z / n):.2%}]"


def line(name: str, suite: Suite, noise: Noise, suites: int) -> str:
    t = simulate(suite, noise, suites=suites)
    unslowed = t.suites * (suite.cases - suite.slowed)
    cells = [name, wilson(t.suites_alarmed, t.suites), wilson(t.false_alarms, unslowed)]
    cells += [wilson(t.suites_unsure, t.suites)]
    cells += [wilson(t.found, t.found + t.missed), wilson(t.unsure, t.found + t.missed), f"{t.reruns / t.suites:.1f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", type=int, default=300)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--nights", type=int, default=20)
    asked = parser.parse_args()
    unchanged = Suite(asked.cases, asked.nights)
    print(f"{asked.suites} suites of {asked.cases} cases after {asked.nights} nights; {Rules()}")
    print(
        "| nights | suites with a false alarm | by case | suites unsure of one | slowdown found | unsure | suspects |"
    )
    print("|---|---|---|---|---|---|---|")
    for title, noise, turns in (
        ("fresh re-runs", Noise(), 0),
        ("re-runs share the night", Noise(own_night=0.005), 0),
        ("a calm machine", Noise(night=0.0, spike_chance=0.0), 0),
        ("a moody machine", Noise(night=0.005), 0),
        ("in turns with the baseline's build", Noise(), 20),
        ("in turns, re-runs share the night", Noise(own_night=0.005), 20),
        ("in turns, and what a night does varies by 3 %", Noise(night=0.03, own_night=0.01), 20),
    ):
        print(line(f"{title}, unchanged", replace(unchanged, turns=turns), noise, asked.suites))
        for slowdown in (0.02, 0.05):
            slower = replace(unchanged, slowdown=slowdown, slowed=1, turns=turns)
            print(line(f"{title}, one case -{slowdown:.0%}", slower, noise, asked.suites), flush=True)


if __name__ == "__main__":
    main()
