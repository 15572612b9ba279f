"""Quantities as people type them: `0.5 %`, `10 min`, `0..30720/2048`. Each function returns the value or raises
`ValueError` with what was expected; bounds are part of the unit.
"""

import re

NS_PER = {"ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000, "h": 3_600_000_000_000}
MAX_DURATION_NS = 7 * 24 * NS_PER["h"]
MAX_TOKENS = 1 << 24
MAX_DEPTHS = 4096

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
DURATION = rf"^\s*(?:{_NUMBER}\s*(?:ms|s|min|h)\s*)+$"
SHARE = rf"^\s*(?:{_NUMBER}(?:[eE]-?[0-9]{{1,2}})?)\s*%?\s*$"
RANGE = r"^\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*$"


def duration_ns(text: str) -> int:
    """`90 s`, `10 min`, `1 h 30 min` in nanoseconds."""
    if not re.match(DURATION, text):
        raise ValueError("expected a duration such as 90 s, 10 min or 1 h 30 min")
    parts = re.findall(rf"({_NUMBER})\s*(ms|s|min|h)", text)
    total = sum(round(float(number) * NS_PER[unit]) for number, unit in parts)
    if not 0 < total <= MAX_DURATION_NS:
        raise ValueError("out of range: a duration is above zero and at most 168 h")
    return total


def share(text: str) -> float:
    """`0.5 %` as 0.005; a bare number is a fraction."""
    if not re.match(SHARE, text):
        raise ValueError("expected a share such as 0.5 % or 0.005")
    value = float(text.strip().removesuffix("%"))
    fraction = value / 100 if "%" in text else value
    if not 0 < fraction <= 0.2:
        shown = text if "%" in text else f"{text} is {100 * value:g} %"
        raise ValueError(f"out of range: {shown}, allowed above 0 % up to 20 %")
    return fraction


def token_range(text: str) -> tuple[int, ...]:
    """`0..30720/2048` as 0, 2048, … 30720: both ends and the step; the last one is at most the end."""
    match = re.match(RANGE, text)
    if not match:
        raise ValueError("expected tokens such as 512, [0, 512] or 0..30720/2048 (first..last/step)")
    first, last, step = (int(group) for group in match.groups())
    if step == 0 or last < first:
        raise ValueError("a range goes upwards in steps of at least 1, as 0..30720/2048 does")
    if last > MAX_TOKENS:
        raise ValueError(f"out of range: at most {MAX_TOKENS} tokens")
    if (last - first) // step >= MAX_DEPTHS:
        raise ValueError(f"too long: at most {MAX_DEPTHS} depths, this range has {(last - first) // step + 1}")
    return tuple(range(first, last + 1, step))


def say_duration(ns: int) -> str:
    """A duration as a person would say it: 90 s, 10 min, 2 h 5 min."""
    if ns < NS_PER["s"]:
        return f"{ns / NS_PER['ms']:.0f} ms"
    seconds = round(ns / NS_PER["s"])
    if seconds < 2 * 60 and seconds % 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min" if seconds % 60 == 0 else f"{seconds // 60} min {seconds % 60} s"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
