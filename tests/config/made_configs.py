"""Configs from a few lines of YAML, expanded as if every file were there and `auto` were known."""

from collections.abc import Sequence
from pathlib import Path

from harness.config import Config, Expansion, expand, parse_config
from harness.errors import ModelNotFound

FOLDER = Path("/nowhere")


def found(name: str, folder: Path, _get: str) -> Path:
    """As if every file lay beside its config."""
    return folder / name


def nowhere(name: str, _folder: Path, _get: str) -> Path:
    raise ModelNotFound(f"{name} is in none of the places searched")


def config(text: str, overrides: Sequence[str] = ()) -> Config:
    return parse_config(text.encode(), "config.yaml", FOLDER, overrides)


def expanded(
    text: str, *, overrides: Sequence[str] = (), only: Sequence[str] = (), device: str = "cpu:0", missing: bool = False
) -> Expansion:
    find = nowhere if missing else found
    return expand(config(text, overrides), only, resolve=lambda: (device, "assumed"), find=find)
