"""The allowed word a user most likely meant; nothing rather than a wild guess."""

import difflib
from collections.abc import Iterable


def nearest(typed: str, allowed: Iterable[str]) -> str | None:
    """The closest of `allowed`, None if none is close."""
    by_lower = {word.lower(): word for word in allowed}
    found = difflib.get_close_matches(typed.lower()[:64], list(by_lower), n=1, cutoff=0.65)
    return by_lower[found[0]] if found else None
