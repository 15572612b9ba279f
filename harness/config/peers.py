"""Executables of other projects that a config names, found on this machine; never started from here."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.config.problems import Mistakes, Problem
from harness.config.types import Config, Peer
from harness.records.case import Case


def peer_binary(config: Config, engine: str) -> str:
    """The path behind `llama_bench` or `llama_bench:NAME`, whether or not it exists; "" for other engines."""
    peer = _peer(config, engine)
    if peer is None:
        return ""
    typed = Path(peer.path).expanduser()
    on_path = shutil.which(peer.path) if len(typed.parts) == 1 else None
    return on_path or str((config.folder / typed).absolute())


def check_peers(config: Config, cases: Iterable[Case]) -> None:
    """Errors: ConfigError for executables that `cases` need and that are not there."""
    wanted = {case.peer_binary: _peer(config, case.axes.engine) for case in cases}
    absent = {path: peer for path, peer in wanted.items() if peer is not None and not _can_run(path)}
    if absent:
        hint = ("give the path of llama-bench, absolute or from this file",)
        raise Mistakes(
            Problem(peer.mark, f"peers.{peer.name}", f"no executable at {path}", hint) for path, peer in absent.items()
        )


def _peer(config: Config, engine: str) -> Peer | None:
    base, _, name = engine.partition(":")
    return config.peers[name or next(iter(config.peers))] if base == "llama_bench" else None


def _can_run(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)
