"""Made models in other people's engines: they load, vocabulary included, and give finite logits of an ordinary size."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from harness.core.synth import PRESETS, write_preset
from harness.engines.registry import build
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test

TOKENS = list(range(0, 320, 16))
REFUSED = {
    "ik_wheel": {"tiny-gpt-oss-merged"},
    "xllamacpp": {"tiny-gpt-oss-merged", "tiny-qwen3moe-merged"},
}
"""Files that come merged: these versions' loaders know them for other architectures only."""


def deviations(peer: str, paths: dict[str, str]) -> dict[str, float]:
    """Standard deviation of the logits of each model, in this process; NaN where some are not finite."""
    found = {}
    for name, path in paths.items():
        engine = build(peer)
        test = Test("pp", n_prompt=len(TOKENS))
        engine.load(Case("c", "made", ModelRef(name, path), Axes(threads=1), test, Sampling()))
        found[name] = float(np.std(engine.logits(TOKENS)))
        engine.close()
    return found


@pytest.mark.parametrize("peer", ["ik_wheel", "xllamacpp"])
def test_every_tiny_preset_runs(peer: str, tmp_path: Path) -> None:
    names = {name for name in PRESETS if name.startswith("tiny-")} - REFUSED[peer]
    paths = {name: str(tmp_path / f"{name}.gguf") for name in names}
    for name, path in paths.items():
        write_preset(name, Path(path))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(deviations, peer, paths).result(timeout=120)
    assert found.keys() == names
    assert all(0.5 < deviation < 2 for deviation in found.values()), found


@pytest.mark.parametrize(
    ("peer", "preset"),
    [
        ("ik_wheel", "gpt-oss-20b"),
        ("ik_wheel", "qwen3-30b-a3b-iq2_xxs"),
        ("xllamacpp", "gpt-oss-20b"),
        ("xllamacpp", "qwen3-30b-a3b-iq2_xxs-mainline"),
    ],
)
def test_two_layers_of_each_real_preset_run(peer: str, preset: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_preset(preset, path, layers=2, vocab=2000)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(deviations, peer, {preset: str(path)}).result(timeout=120)
    assert 0.5 < found[preset] < 2
