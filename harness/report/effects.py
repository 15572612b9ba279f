"""What one choice changes, as verdicts. Only samples of valid cases of this machine enter; never published figures.

Several depths make one verdict: the mean of the effects at the depths that both sides measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Literal

from harness.records.record import Record
from harness.records.timing import Row, Sample
from harness.report.speeds import Phase, Speed, counted, curve, is_valid, load_times, same_rounds
from harness.report.variants import Group, Pair
from harness.stats.paired import PairedResult
from harness.stats.strata import compare_strata
from harness.stats.unpaired import ASSUMED_SD

Basis = Literal["turns", "processes", "disturbed"]
"""What a verdict rests on: sides that took turns, one process each after the other, or samples that were disturbed."""


@dataclass(frozen=True)
class Effect:
    """The verdict of one phase over `depths`."""

    phase: Phase
    result: PairedResult
    depths: tuple[int, ...]
    basis: Basis


@dataclass(frozen=True)
class PairEffects:
    """What a pair's two variants differ by. `obstacle` says why there is no verdict; "" if there is one.

    `load_change_s`: seconds the other variant's load takes longer; None if a side has none. `loads_overlap`: each side
    loaded several times, and a load of one side took as long as one of the other.
    """

    pair: Pair
    effects: tuple[Effect, ...]
    load_change_s: float | None
    loads_overlap: bool = False
    obstacle: str = ""

    def of(self, phase: Phase) -> Effect | None:
        """The effect on one phase."""
        return next((effect for effect in self.effects if effect.phase == phase), None)


def pair_effects(group: Group, pair: Pair) -> PairEffects:
    """Every verdict about one pair."""
    base, other = group.of(pair.base), group.of(pair.other)
    found = [effect for phase in ("pp", "tg", "pg") if (effect := phase_effect(base, other, phase)) is not None]
    before, after = load_times(base), load_times(other)
    change = (mean(after) - mean(before)) / 1e9 if before and after else None
    overlap = min(len(before), len(after)) > 1 and min(before) <= max(after) and min(after) <= max(before)
    return PairEffects(pair, tuple(found), change, overlap, "" if found else obstacle(pair, base, other))


def phase_effect(base: Sequence[Record], other: Sequence[Record], phase: Phase) -> Effect | None:
    """The verdict on one phase; None where the two sides share no measured depth."""
    after = {speed.depth: speed for speed in curve(other, phase)}
    shared = [(before, after[before.depth]) for before in curve(base, phase) if before.depth in after]
    shared = [(a, b) for a, b in shared if (a.row.n_prompt, a.row.n_gen) == (b.row.n_prompt, b.row.n_gen)]
    if not shared:
        return None
    return Effect(phase, effect_over(shared), tuple(a.depth for a, _ in shared), _basis(shared))


def speed_effect(base: Speed, other: Speed) -> PairedResult:
    """The verdict at one depth."""
    return effect_over([(base, other)])


def effect_over(sides: Sequence[tuple[Speed, Speed]]) -> PairedResult:
    """The verdict over several conditions together, base before other in each."""
    basis = _basis(sides)
    chosen = [_pairs(base.row, other.row) for base, other in sides]
    strata = [([a.total_ns for a, _ in pairs], [b.total_ns for _, b in pairs]) for pairs in chosen]
    if basis == "processes":
        result = compare_strata(strata, process_sd=ASSUMED_SD)
    else:
        result = compare_strata(strata, [[a.process for a, _ in pairs] for pairs in chosen])
    return replace(result, verdict="CANNOT TELL", needed=0) if basis == "disturbed" else result


def _pairs(base: Row, other: Row) -> Sequence[tuple[Sample, Sample]]:
    """Samples of the same round where both sides took turns and count; else the counted ones in their order."""
    in_rounds = _interleaved(base, other) and len(base.samples) == len(other.samples)
    rounds = same_rounds(base, other) if in_rounds else ()
    return rounds or tuple(zip(counted(base), counted(other), strict=False))


def _basis(sides: Sequence[tuple[Speed, Speed]]) -> Basis:
    if any(speed.disturbed for pair in sides for speed in pair):
        return "disturbed"
    took_turns = all(a.run == b.run and _interleaved(a.row, b.row) for a, b in sides)
    return "turns" if took_turns else "processes"


def _interleaved(a: Row, b: Row) -> bool:
    """Whether the two sides took turns: neither had all its samples before the other's first."""
    starts = [[sample.start_ns for sample in counted(row)] for row in (a, b)]
    return max(starts[0]) > min(starts[1]) and max(starts[1]) > min(starts[0])


def obstacle(pair: Pair, base: Sequence[Record], other: Sequence[Record]) -> str:
    """Why two variants cannot be compared, as half a sentence."""
    for variant, records in ((pair.base, base), (pair.other, other)):
        for record in records:
            if record.equivalence.verdict == "INVALID" or record.status == "invalid":
                return f"the results of “{variant.label}” are not those they should be (INVALID)"
            if not is_valid(record):
                return f"“{variant.label}” {record.status}"
    return "the two sides have no measurement in common"
