"""The verdict in one sentence: "Merging makes PP 9.6 % faster [8.9, 10.2]; TG the same; load +0.0 s"."""

from collections.abc import Sequence

from harness.report import numbers
from harness.report.blocks import Headline, Mood, Prose, Verdict
from harness.report.effects import Basis, Effect, PairEffects
from harness.report.speeds import PHASE_NAME
from harness.report.variants import Pair
from harness.stats.unpaired import ASSUMED_SD

SUBJECT = {
    "merge_up_gate": "Merging",
    "merge_qkv": "Merging Q, K and V",
    "merge_up_gate_shared": "Merging the shared experts",
    "fused_moe": "Fusing",
    "flash_attn": "Flash attention",
    "repack": "Repacking",
    "cpu_moe": "Experts on the CPU",
}
"""What a switch does, when the pair is off and on."""

MOODS: dict[str, Mood] = {"FASTER": "good", "SLOWER": "bad", "SAME": "", "CANNOT TELL": "warn"}

CAUTIONS: dict[Basis, Prose] = {
    "disturbed": Prose(
        "Other work on this machine disturbed every sample of a side, so there is no verdict on it. End what else runs "
        "here and measure again; “harness doctor” tells what it is.",
        "warn",
    ),
    "processes": Prose(
        "The two sides were measured one after the other, not in turns; the interval allows for processes that differ "
        f"by {ASSUMED_SD * 100:.1f} %.",
        "quiet",
    ),
}


LOAD_UNTOLD = Verdict("load", "?", "", "cannot tell: loads of both overlap", "warn")


def headline(found: PairEffects) -> Headline:
    """The sentence and the figures of one pair."""
    pair = found.pair
    if found.obstacle:
        return Headline(_about(pair), f"{subject(pair)}: no verdict, because {found.obstacle}.", "bad", ())
    told = [_clause(effect) for effect in found.effects]
    verdicts = [_verdict(effect) for effect in found.effects]
    if found.load_change_s is not None:
        change = f"{numbers.signed(found.load_change_s, 1)} s"
        is_told = not found.loads_overlap or round(found.load_change_s, 1) == 0
        told.append(f"load {change}" if is_told else "load cannot be told")
        verdicts.append(Verdict("load", change, "", "to the first logits", "") if is_told else LOAD_UNTOLD)
    mood = MOODS[found.effects[0].result.verdict]
    return Headline(
        _about(pair), f"{_opening(pair, found.effects)} {'; '.join(told)}.", mood, tuple(verdicts), _cautions(found)
    )


def _cautions(found: PairEffects) -> tuple[Prose, ...]:
    bases = {effect.basis for effect in found.effects}
    return tuple(text for basis, text in CAUTIONS.items() if basis in bases)


def subject(pair: Pair) -> str:
    """What is under comparison, as the subject of a sentence."""
    before, after = pair.base.value(pair.axis), pair.other.value(pair.axis)
    if (before, after) == ("off", "on") and pair.axis in SUBJECT:
        return SUBJECT[pair.axis]
    if pair.axis in {"engine", "run", "device"}:
        return f"{after} against {before}"
    return f"{pair.axis} {after} against {before}"


def _opening(pair: Pair, effects: Sequence[Effect]) -> str:
    verbs = {"FASTER": " makes", "SLOWER": " makes", "SAME": " leaves"}
    switch = (pair.base.value(pair.axis), pair.other.value(pair.axis)) == ("off", "on") and pair.axis in SUBJECT
    return subject(pair) + (verbs.get(effects[0].result.verdict, ":") if switch else ":")


def _clause(effect: Effect) -> str:
    result, name = effect.result, PHASE_NAME[effect.phase]
    interval = numbers.change_interval(result.low, result.high)
    amount = numbers.percent(abs(result.ratio - 1))
    if result.verdict == "SAME":
        return f"{name} the same"
    if result.verdict == "FASTER":
        return f"{name} {amount} faster {interval}"
    if result.verdict == "SLOWER":
        return f"{name} {amount} slower {numbers.change_interval(2 - result.high, 2 - result.low)}"
    return f"{name} cannot be told {interval}" if _has_interval(effect) else f"{name} cannot be told"


def _verdict(effect: Effect) -> Verdict:
    result, name = effect.result, PHASE_NAME[effect.phase]
    if not _has_interval(effect):
        return Verdict(name, "?", "", "cannot tell", "warn")
    words = {"FASTER": "faster", "SLOWER": "slower", "SAME": "the same", "CANNOT TELL": "cannot tell"}
    word = words[result.verdict]
    if result.needed:
        word += f": {numbers.settling(result)} settle it"
    interval = f"{numbers.change_interval(result.low, result.high)} %"
    return Verdict(name, numbers.change(result.ratio), interval, word, MOODS[result.verdict])


def _has_interval(effect: Effect) -> bool:
    """Disturbed or single samples have no figure that a first screen should show."""
    return effect.basis != "disturbed" and effect.result.low > 0


def _about(pair: Pair) -> str:
    return f"with {pair.setting}" if pair.setting else ""
