"""Operations timed one by one: all of the program, over all of a row, without changing what it computes."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import SessionError
from harness.core.options import Options
from harness.core.session import Session
from harness.core.synth import write_preset
from harness.engines.core import CoreEngine
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, StandIn, Test


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_preset("tiny-qwen3moe", path, layers=2)
    return path


def engine(model: Path) -> CoreEngine:
    made = ModelRef("tiny", str(model), StandIn("tiny-qwen3moe", layers=2))
    built = CoreEngine()
    built.load(Case("a", "made", made, Axes(device="cpu:0", threads=2, ubatch=16), Test("pg", 40, 4), Sampling()))
    return built


def test_every_operation_of_the_program_has_a_time_in_order(model: Path) -> None:
    with Session.open(model, Options(devices=("cpu:0",), threads=2, n_ctx=64)) as session:
        op_ns = session.op_times([1, 2, 3, 4])
        assert op_ns.shape == (len(session.program.ops),)
        assert (op_ns > 0).all()
        assert session.position == 4


def test_timing_operations_changes_no_logits(model: Path) -> None:
    with Session.open(model, Options(devices=("cpu:0",), threads=2, n_ctx=64)) as session:
        session.prefill([5, 6, 7], "none")
        plain = session.prefill([8], "last")
        session.rewind(0)
        session.op_times([5, 6, 7], "none")
        assert np.array_equal(session.prefill([8], "last"), plain)


def test_more_than_a_ubatch_and_a_device_that_cannot_are_refused(model: Path) -> None:
    small = Options(devices=("cpu:0",), threads=1, n_ctx=64, ubatch=2)
    with Session.open(model, small) as session, pytest.raises(SessionError, match="more than one ubatch of 2"):
        session.op_times([1, 2, 3])
    plain = Options(devices=("reference",), n_ctx=64)
    with Session.open(model, plain) as session, pytest.raises(SessionError, match="cannot be timed one by one"):
        session.op_times([1])


def test_a_rows_operations_are_summed_over_its_ubatches_and_tokens(model: Path) -> None:
    core = engine(model)
    prompt, tokens = core.op_times(40, 0, 0), core.op_times(0, 4, 40)
    assert {op.calls for op in prompt} == {3}
    assert {op.calls for op in tokens} == {4}
    for ops, row in ((prompt, (40, 0, 0)), (tokens, (0, 4, 40))):
        macs, n_bytes = core.cost(*row)
        n_tokens = sum(row[:2])
        assert sum(op.macs for op in ops) == pytest.approx(macs * n_tokens, rel=0.01)
        assert sum(op.bytes for op in ops) == pytest.approx(n_bytes * n_tokens, rel=0.01)
    core.close()
