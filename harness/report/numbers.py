"""How numbers look: one function per quantity, always with its unit. Minus is a real minus, the decimal a point."""

import math
from collections.abc import Sequence

from harness.stats.paired import PairedResult

NOTHING = "–"


def fixed(value: float, digits: int) -> str:
    """`value` with `digits` decimals and a typographic minus."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def rate(tokens_per_s: float) -> str:
    """Tokens per second as the PR's tables print them."""
    return fixed(tokens_per_s, 2)


def seconds(value: float) -> str:
    """Seconds as the PR's tables print them."""
    return fixed(value, 3)


def duration(ns: float) -> str:
    """Nanoseconds in the unit that reads best."""
    for scale, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= scale:
            return f"{significant(ns / scale)} {unit}"
    return f"{fixed(ns, 0)} ns"


def size(n_bytes: float) -> str:
    """Bytes in binary units."""
    for exponent, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if abs(n_bytes) >= 1024**exponent:
            return f"{fixed(n_bytes / 1024**exponent, 2)} {unit}"
    return f"{fixed(n_bytes, 0)} B"


def count(value: float) -> str:
    """A plain count with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "−")


def si(value: float, unit: str) -> str:
    """A large quantity with an SI prefix: 21.3 GB/s."""
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{significant(value / scale)} {prefix}{unit}"
    return f"{significant(value)} {unit}"


def significant(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0 or not math.isfinite(value):
        return fixed(value, 0)
    return fixed(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def percent(share: float, digits: int = 1) -> str:
    """A share of one as percent: 0.734 → 73.4 %."""
    return f"{fixed(share * 100, digits)} %"


def change(ratio: float, digits: int = 1) -> str:
    """A ratio as a signed change: 1.096 → +9.6 %."""
    return f"{signed((ratio - 1) * 100, digits)} %"


def signed(value: float, digits: int) -> str:
    """`value` with its sign; zero has a plus, so that a column lines up."""
    text = fixed(value, digits)
    return text if text.startswith("−") else f"+{text}"


def factor(ratio: float) -> str:
    """A ratio as a factor: ×1.096."""
    return f"×{fixed(ratio, 3)}"


def change_interval(low: float, high: float, digits: int = 1) -> str:
    """The interval of a ratio as percent: [8.9, 10.2]; an end that is not known is an infinity sign."""
    return f"[{_end(low, digits)}, {_end(high, digits)}]"


def _end(ratio: float, digits: int) -> str:
    if not math.isfinite(ratio):
        return "∞"
    return "−∞" if ratio <= 0 else fixed((ratio - 1) * 100, digits)


def settling(result: PairedResult) -> str:
    """What would settle an open verdict: "about 30 pairs would", "about 9 fresh processes a side would"."""
    return f"about {count(result.needed)} {'fresh processes a side' if result.n_processes > 1 else 'pairs'} would"


def spans(numbers: Sequence[int]) -> str:
    """Ascending integers as ranges: 0–5, 7, 9–12."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in parts)
