"""`--only`: the cases that a glob picks, by label or by id."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.config.say import labels
from harness.errors import ConfigError
from harness.records.case import Case

MOST_LISTED = 20


def select(cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """Those whose label or id matches any of `only`, part of a label being enough. Errors: ConfigError if none does."""
    if not only:
        return list(cases)
    named = list(zip(cases, labels(cases), strict=True))
    chosen = [case for case, label in named if any(_picks(glob, case, label) for glob in only)]
    if chosen:
        return chosen
    listed = [f"  {case.case_id}  {label}" for case, label in named[:MOST_LISTED]]
    if len(named) > MOST_LISTED:
        listed.append(f"  and {len(named) - MOST_LISTED} more, see `harness plan`")
    asked = " or ".join(f"'{glob}'" for glob in only)
    raise ConfigError("\n".join([f"--only: no case matches {asked}; there are:", *listed]))


def _picks(glob: str, case: Case, label: str) -> bool:
    return case.case_id.startswith(glob) or fnmatchcase(case.case_id, glob) or fnmatchcase(label, f"*{glob}*")
