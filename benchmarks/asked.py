"""What the benchmarks of a config are asked for: the config, what to change in it, and which of its cases."""

import argparse
from collections.abc import Callable
from pathlib import Path

from harness.config import expand, load_config
from harness.records.case import Case


def config_parser(doc: str | None, config: str) -> argparse.ArgumentParser:
    """With `--config` and `--set`; `doc` is the help."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--config", type=Path, default=Path(config))
    made.add_argument("--set", dest="overrides", action="append", default=[], help="path=value, as for harness run")
    return made


def cases_parser(doc: str | None, rounds: int) -> argparse.ArgumentParser:
    """The same for cases beside peers, with `--only` and `--rounds`."""
    made = config_parser(doc, "configs/vs_peers.yaml")
    made.add_argument("--only", action="append", default=[], help="cases, as for harness run")
    made.add_argument("--rounds", type=int, default=rounds, help="that count; those before them warm up")
    return made


def cases(asked: argparse.Namespace, wanted: Callable[[Case], bool], what: str) -> list[Case]:
    """Those chosen that are wanted; ends with a sentence where none is."""
    chosen = expand(load_config(asked.config, asked.overrides), asked.only).cases
    found = [case for case in chosen if wanted(case)]
    if not found:
        raise SystemExit(f"No {what} is among the cases; --only picks them.")
    return found
