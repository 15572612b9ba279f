"""The core as an engine: options from axes, timing around the session, and a cache that is where the row wants it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.synth import write_preset
from harness.engines.core import CoreEngine, options_from_axes
from harness.engines.protocol import FillsAhead, KnowsCosts
from harness.engines.stream import context_tokens, equivalence_tokens, token_stream
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, StandIn, Test

N_VOCAB = 260
"""What two layers leave of the preset's vocabulary."""
TEST = Test("sweep", 16, 4, (0, 16))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_preset("tiny-qwen3moe", path, layers=2)
    return path


def case(path: Path | None, **axes: object) -> Case:
    made = ModelRef("tiny", str(path) if path else None, StandIn("tiny-qwen3moe", layers=2))
    return Case("a", "made", made, Axes(device="reference", **axes), TEST, Sampling())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine(model: Path) -> CoreEngine:
    engine = CoreEngine()
    engine.load(case(model))
    return engine


def test_every_axis_the_core_has_reaches_its_options() -> None:
    axes = Axes(
        device="cpu:0, cpu:1",
        split_mode="layer",
        tensor_split=(1.0, 2.0),
        main_gpu=1,
        override_tensor=(r"blk\.1=2.*=cpu:1",),
        cpu_moe=True,
        n_cpu_moe=3,
        merge_up_gate=True,
        merge_qkv=True,
        merge_up_gate_shared=True,
        fused_moe=False,
        moe_path="per_expert",
        layout="packed",
        ubatch=64,
        threads=3,
        type_k="q8_0",
        type_v="q8_0",
        layers=5,
    )
    options = options_from_axes(axes, 1024)
    assert options.devices == ("cpu:0", "cpu:1")
    assert options.override_tensor == ((r"blk\.1=2.*", "cpu:1"),)
    for name in ("split_mode", "tensor_split", "main_gpu", "cpu_moe", "n_cpu_moe", "merge_up_gate", "merge_qkv"):
        assert getattr(options, name) == getattr(axes, name)
    for name in ("merge_up_gate_shared", "fused_moe", "moe_path", "layout", "ubatch", "threads", "type_k", "layers"):
        assert getattr(options, name) == getattr(axes, name)
    assert options.n_ctx == 1024


@pytest.mark.parametrize(("text", "expected"), [("off", "off"), ("auto", "auto"), ("48", 48)])
def test_expert_copy_is_a_word_or_a_number_of_tokens(text: str, expected: object) -> None:
    assert options_from_axes(Axes(expert_copy=text), 256).expert_copy == expected


def test_a_record_tells_from_which_size_on_experts_were_copied(model: Path) -> None:
    engine = CoreEngine()
    lent = replace(case(model), axes=Axes(device="cuda-emulated:0", cpu_moe=True, expert_copy="5", ubatch=8))
    report = engine.load(lent)
    copies = report.plan["expert_copy"]
    assert isinstance(copies, dict)
    assert (copies["from_tokens"], copies["layers"]) == (5, [0, 1])
    assert copies["room_bytes"]["cuda-emulated:0"] > 0
    assert "for 5 tokens and more" in copies["text"][0]
    engine.close()
    assert "expert_copy" not in engine.load(case(model)).plan
    engine.close()


def test_one_device_is_not_split() -> None:
    assert options_from_axes(Axes(split_mode="layer"), 256).split_mode == "none"


def test_an_override_without_a_device_is_explained() -> None:
    with pytest.raises(EngineError, match="expected PATTERN=DEVICE"):
        options_from_axes(Axes(override_tensor=("exps",)), 256)


def test_a_load_reports_phases_sizes_and_merges(model: Path) -> None:
    engine = CoreEngine()
    report = engine.load(case(model, merge_up_gate=True))
    assert {"open", "metadata", "plan", "read", "first_token"} <= set(report.phase_ns)
    assert all(spent >= 0 for spent in report.phase_ns.values())
    assert (report.n_layers, report.model_type[:8]) == (2, "qwen3moe")
    merges = {merge["kind"]: merge for merge in report.plan["merges"]}  # type: ignore[attr-defined]
    assert merges["up_gate"]["done"] is True
    assert merges["up_gate"]["layers"] == [0, 1]
    assert merges["qkv"]["reason"]
    engine.close()


def test_a_model_without_a_file_is_refused() -> None:
    with pytest.raises(EngineError, match="has no file"):
        CoreEngine().load(case(None))


def test_nothing_loaded_is_said(model: Path) -> None:
    with pytest.raises(EngineError, match="nothing is loaded"):
        CoreEngine().prefill([1], 0)


def test_it_fills_ahead_and_knows_costs(engine: CoreEngine) -> None:
    assert isinstance(engine, FillsAhead)
    assert isinstance(engine, KnowsCosts)
    assert engine.cost(16, 0, 0)[0] > 0
    assert engine.cost(0, 4, 16)[0] > engine.cost(0, 4, 0)[0]


def test_every_token_generated_has_a_time(engine: CoreEngine) -> None:
    timing = engine.decode([1, 2, 3], 0)
    assert timing.n_tokens == len(timing.token_ns) == 3
    assert sum(timing.token_ns) == timing.total_ns > 0


def logits_at(engine: CoreEngine, tokens: list[int], depth: int) -> np.ndarray:  # type: ignore[type-arg]
    engine.fill(depth)
    session = engine._session
    assert session is not None
    found = session.prefill(tokens, "all")
    assert found is not None
    engine._learn(np.asarray(tokens, np.int32), depth)
    return found


def test_the_cache_holds_the_stream_whatever_was_asked_before(model: Path, engine: CoreEngine) -> None:
    stream = token_stream(case(model), N_VOCAB, 64).tolist()
    expected = engine.logits(stream[:24])[16:]
    engine.logits([5] * 30)
    engine.prefill([7] * 8, 4)
    engine.decode([9], 2)
    assert np.allclose(logits_at(engine, stream[16:24], 16), expected, atol=2e-3)
    engine.prefill(stream[16:32], 16)
    engine.decode(stream[8:12], 8)
    assert np.allclose(logits_at(engine, stream[16:24], 16), expected, atol=2e-3)


def test_streams_begin_alike_and_repeat(model: Path) -> None:
    for tokens in ("random", "text"):
        long, short = (token_stream(case(model, tokens=tokens), N_VOCAB, n) for n in (500, 20))
        assert long[:20].tolist() == short.tolist()
        assert len(set(long.tolist())) > 30
        assert (long >= 0).all()
        assert (long < N_VOCAB).all()


def test_a_context_has_room_for_the_deepest_row_and_the_equivalence_pass() -> None:
    assert context_tokens(Test("pg", 512, 128, (0, 1000))) == 1640
    assert context_tokens(Test("sweep", 512, 128, (0, 1000))) == 1512
    assert context_tokens(Test("tg", 0, 4)) == 256


def test_the_equivalence_stream_is_shorter_for_large_vocabularies() -> None:
    assert equivalence_tokens(32_000) == 256
    assert 16 <= equivalence_tokens(201_088) < 100


def test_expert_counts_cover_every_layer(engine: CoreEngine) -> None:
    counts = engine.expert_counts()
    assert len(counts) == 2
    assert all(sum(layer) > 0 for layer in counts)
