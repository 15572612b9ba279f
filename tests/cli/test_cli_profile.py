"""`harness profile`: a table per row; an engine that cannot is told so."""

import json
from pathlib import Path

import pytest
from command_line import call, fake_config

from harness.runner import profiling

TINY = """
name: tiny
models: {tiny: {stand_in: {preset: tiny-qwen3moe, layers: 2}}}
matrix: {device: "cpu:0", threads: 1}
tests: [{pp: 16}, {tg: 2}]
"""


@pytest.fixture(autouse=True)
def _no_survey(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.records.record import Limits

    monkeypatch.setattr(profiling, "limits_of", lambda *_: Limits({"read, 1 thread": 1e9}, {"int8, 1 thread": 1e12}))


def test_every_kind_of_operation_has_a_line_beside_the_limits(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    done = call("profile", config)
    assert done.exit_code == 0, done.output
    for told in ("moe_up_gate", "moe_down", "attention", "pp16:", "tg2:", "Limits: 1.0 GB/s"):
        assert told in done.stdout
    whole = json.loads(call("profile", config, "--only", "tg2", "-o", "json").stdout)
    (case,) = whole["cases"]
    (row,) = case["rows"]
    assert (row["test"], row["n_tokens"]) == ("tg2", 2)
    assert all(op["ns"] > 0 and op["calls"] == 2 for op in row["ops"])


def test_an_engine_that_cannot_tell_is_said_in_words(tmp_path: Path) -> None:
    done = call("profile", fake_config(tmp_path), "--only", "off pp64")
    assert done.exit_code == 3
    assert "engine fake does not tell the times of its operations; the core does." in done.output
