"""The peers' libraries as engines: each in a process of its own, as in a run; made models, a few tokens."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.synth.write import write_tiny
from harness.engines.libllama import LibllamaEngine
from harness.engines.protocol import Engine
from harness.engines.registry import build
from harness.engines.stream import token_stream
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test
from harness.stats.equivalence import compare_logits

BOTH = pytest.mark.parametrize("name", ["ik_wheel", "xllamacpp"])
TOKENS = 24


@pytest.fixture(scope="module")
def apart() -> Callable[..., Any]:
    """Runs a function in a fresh process: a crash of a native library is one failed test."""

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result(timeout=120)

    return run


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Shapes that both libraries' kernels accept: rows of 256 columns and more."""
    folder = tmp_path_factory.mktemp("models")
    sizes: dict[str, Any] = {
        "n_embd": 256,
        "n_ff": 256,
        "n_head": 4,
        "n_head_kv": 2,
        "n_vocab": 320,
        "n_expert": 4,
        "top_k": 2,
    }
    made = {}
    for arch in ("qwen3moe", "gpt-oss"):
        path = folder / f"{arch}.gguf"
        write_tiny(path, arch, {"default": "Q8_0"}, **sizes)
        made[arch] = str(path)
    return made


def case(path: str, depth: int = 0, **axes: Any) -> Case:
    test = Test("pp", n_prompt=TOKENS, depths=(depth,))
    return Case("c", "peers", ModelRef("tiny", path), Axes(threads=1, **axes), test, Sampling())


def opened(name: str, wanted: Case) -> tuple[Any, NDArray[np.int32]]:
    engine = build(name)
    report = engine.load(wanted)
    return engine, token_stream(wanted, report.n_vocab, 200)


def describe(name: str, path: str) -> dict[str, Any]:
    engine = build(name)
    report = engine.load(case(path))
    engine.close()
    return {**vars(report), "phase_ns": dict(report.phase_ns), "plan": dict(report.plan)}


def time_both(name: str, path: str) -> tuple[Any, Any]:
    engine, tokens = opened(name, case(path))
    return engine.prefill(tokens[:TOKENS].tolist(), 0), engine.decode(tokens[:5].tolist(), 0)


def logits_of(name: str, path: str, axes: dict[str, Any]) -> NDArray[np.float32]:
    engine, tokens = opened(name, case(path, **axes))
    found: NDArray[np.float32] = engine.logits(tokens[:TOKENS].tolist())
    return found


def logits_before_and_after(name: str, path: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    engine, tokens = opened(name, case(path, depth=40))
    first = engine.logits(tokens[:TOKENS].tolist())
    engine.prefill(tokens[:TOKENS].tolist(), 40)
    engine.decode(tokens[:5].tolist(), 7)
    return first, engine.logits(tokens[:TOKENS].tolist())


def last_logits(engine: LibllamaEngine, tokens: list[int], depth: int) -> NDArray[np.float32]:
    """Of the last of `tokens` when they are processed at `depth`."""
    engine.prefill(tokens, depth)
    found: NDArray[np.float32] = engine._library.logits(engine._here(), 1, engine._facts.n_vocab)[0].copy()
    return found


def logits_at_depths(name: str, path: str) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Forth, back, and further on: each time beside those of the whole stream from an empty cache."""
    engine, tokens = opened(name, case(path, depth=150))
    pairs = []
    for depth in (40, 0, 40, 150, 60):
        rewound = last_logits(engine, tokens[depth : depth + 3].tolist(), depth)
        pairs.append((engine.logits(tokens[: depth + 3].tolist())[-1], rewound))
    return pairs


def failure(name: str, path: str, axes: dict[str, Any]) -> str:
    try:
        build(name).load(case(path, **axes))
    except EngineError as error:
        return str(error)
    return ""


@BOTH
def test_loading_reports_the_models_facts_and_the_peers_version(name: str, models: Any, apart: Any) -> None:
    report = apart(describe, name, models["qwen3moe"])
    assert (report["n_layers"], report["n_vocab"]) == (3, 320)
    assert set(report["phase_ns"]) == {"read", "place", "first_token"}
    assert report["model_size"] > 100_000
    assert report["plan"]["threads"] == 1
    assert any(digit in report["engine_version"] for digit in "0123456789")


@BOTH
def test_generation_has_a_time_for_every_token(name: str, models: Any, apart: Any) -> None:
    pp, tg = apart(time_both, name, models["qwen3moe"])
    assert (pp.n_tokens, pp.token_ns) == (TOKENS, ())
    assert tg.n_tokens == len(tg.token_ns) == 5
    assert sum(tg.token_ns) == tg.total_ns > 0


@BOTH
def test_measuring_leaves_no_trace_in_later_logits(name: str, models: Any, apart: Any) -> None:
    before, after = apart(logits_before_and_after, name, models["qwen3moe"])
    assert compare_logits(before, after, tolerance=0).verdict == "identical"


@pytest.mark.parametrize(
    ("name", "arch"), [("ik_wheel", "qwen3moe"), ("xllamacpp", "qwen3moe"), ("xllamacpp", "gpt-oss")]
)
def test_a_rewound_cache_is_the_cache_at_that_depth(name: str, arch: str, models: Any, apart: Any) -> None:
    for whole, rewound in apart(logits_at_depths, name, models[arch]):
        assert compare_logits(whole[None], rewound[None]).verdict in ("identical", "close")


def test_the_two_peers_agree_with_each_other(models: Any, apart: Any) -> None:
    ik = apart(logits_of, "ik_wheel", models["qwen3moe"], {})
    mainline = apart(logits_of, "xllamacpp", models["qwen3moe"], {})
    assert compare_logits(mainline, ik).verdict == "close"


@pytest.mark.parametrize("arch", ["qwen3moe", "gpt-oss"])
def test_iks_merge_is_right_in_the_first_context_and_wrong_in_the_second(arch: str, models: Any, apart: Any) -> None:
    plain = apart(logits_of, "ik_wheel", models[arch], {})
    merged = apart(logits_of, "ik_wheel", models[arch], {"merge_up_gate": True})
    again = apart(logits_of, "ik_wheel_second_context", models[arch], {"merge_up_gate": True})
    assert compare_logits(plain, merged).verdict in ("identical", "close")
    assert compare_logits(plain, again).verdict == "INVALID"


def test_iks_second_context_is_right_without_the_merge(models: Any, apart: Any) -> None:
    plain = apart(logits_of, "ik_wheel", models["qwen3moe"], {})
    again = apart(logits_of, "ik_wheel_second_context", models["qwen3moe"], {})
    assert compare_logits(plain, again).verdict == "identical"


@BOTH
def test_a_file_that_is_not_a_model_is_an_error_with_the_peers_words(name: str, tmp_path: Path, apart: Any) -> None:
    (tmp_path / "no.gguf").write_bytes(b"not a model")
    message = apart(failure, name, str(tmp_path / "no.gguf"), {})
    assert "could not load" in message
    assert "It said last" in message


@pytest.mark.parametrize(
    ("name", "axes", "words"),
    [
        ("ik_wheel", {"device": "cuda:0"}, "on the CPU only"),
        ("xllamacpp", {"device": "cuda:0"}, "on the CPU only"),
        ("ik_wheel", {"merge_up_gate": True, "fused_moe": False}, "ignores fused_moe"),
        ("xllamacpp", {"merge_up_gate": True}, "merges nothing"),
        ("xllamacpp", {"n_cpu_moe": 3}, "cannot do n_cpu_moe: 3"),
        ("ik_wheel", {"type_k": "q3"}, "is none of"),
        ("ik_wheel", {"layers": 2}, "all 3 layers"),
    ],
)
def test_what_a_peer_cannot_do_is_refused_not_left_out(
    name: str, axes: dict[str, Any], words: str, models: Any, apart: Any
) -> None:
    assert words in apart(failure, name, models["qwen3moe"], axes)


def test_a_library_with_other_structs_is_refused_before_it_is_used() -> None:
    from harness.engines.xllamacpp import CONTEXT_DEFAULTS, ContextParams, check_layout

    with pytest.raises(EngineError, match="another interface"):
        check_layout(ContextParams(n_ctx=4096), CONTEXT_DEFAULTS)


def test_the_engines_satisfy_the_protocol() -> None:
    engine: Engine = LibllamaEngine.__new__(LibllamaEngine)
    assert engine.expert_counts() == ()
