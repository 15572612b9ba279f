"""llama-bench binaries as an engine, with executables that answer as the two projects' do."""

import json
import stat
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.core.synth.write import write_tiny
from harness.engines.llama_bench import LlamaBenchEngine, arguments, parse, test_arguments
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test

MAINLINE_HELP = """options:
  -m, --model <filename>   -p, --n-prompt <n>   -n, --n-gen <n>   -pg <pp,tg>   -d, --n-depth <n>
  -b, --batch-size <n>   -ub, --ubatch-size <n>   -ctk, --cache-type-k <t>   -ctv, --cache-type-v <t>
  -t, --threads <n>   -ngl, --n-gpu-layers <n>   -ncmoe, --n-cpu-moe <n>   -sm, --split-mode <none|layer|row>
  -mg, --main-gpu <i>   -fa, --flash-attn <0|1>   -mmp, --mmap <0|1>   -ts <ts0/ts1/..>   -ot <pattern>=<buft>
  -r, --repetitions <n>   -o, --output <csv|json|jsonl|md|sql>
"""
IK_HELP = MAINLINE_HELP.replace("-d, --n-depth <n>", "-gp <pp,tg>").replace("-ncmoe, ", "") + (
    "  -muge, --merge-up-gate-experts <0|1>   -mqkv <0|1>   -rtr <0|1>   -fmoe <0|1>\n"
)
ROW = {
    "build_commit": "c03c2d7c",
    "build_number": 4321,
    "model_type": "gpt-oss 20B MXFP4",
    "model_size": 12_000,
    "model_n_params": 20_000,
    "backends": "CPU",
    "samples_ns": [2_000_000],
}
TABLE = """| model | size | params | backend | threads | test | t/s |
| --- | --- | --- | --- | --- | --- | --- |
| x | 1 GiB | 2 B | CPU | 2 | pp8 | 4000.00 ± 0.00 |
"""

Make = Callable[..., Path]


@pytest.fixture
def binary(tmp_path: Path) -> Make:
    """An executable that answers --help with `help_text`, fails with `error` if given, and else prints `output`."""

    def make(help_text: str, output: str, error: str = "") -> Path:
        path = tmp_path / "llama bench"  # a space: nothing may go through a shell
        log = tmp_path / "calls"
        path.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"open({str(log)!r}, 'a').write(repr(sys.argv[1:]) + '\\n')\n"
            f"if '--help' in sys.argv: print({help_text!r}); raise SystemExit(0)\n"
            f"if {error!r}: print({error!r}, file=sys.stderr); raise SystemExit(1)\n"
            f"print({output!r})\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny(path, "qwen3moe", {"default": "Q8_0"})
    return str(path)


def case(binary: Path, model: str, **axes: Any) -> Case:
    test = Test("pp", n_prompt=8)
    return Case("c", "x", ModelRef("tiny", model), Axes(**axes), test, Sampling(), peer_binary=str(binary))


def calls(binary: Path) -> list[str]:
    return (binary.parent / "calls").read_text().splitlines()


def test_a_case_is_loaded_timed_and_its_version_recorded(binary: Make, model: str) -> None:
    made = binary(MAINLINE_HELP, json.dumps([ROW]))
    engine = LlamaBenchEngine()
    report = engine.load(case(made, model, threads=2))
    assert report.engine_version == "llama.cpp c03c2d7c 4321"
    assert (report.model_type, report.model_size, report.n_layers, report.n_vocab) == (
        "gpt-oss 20B MXFP4",
        12_000,
        3,
        331,
    )
    assert engine.prefill([1] * 8, 512).total_ns == 2_000_000
    assert engine.decode([1] * 4, 0).n_tokens == 4
    assert "'-p', '8', '-n', '0', '-d', '512'" in calls(made)[2]
    assert "'-p', '0', '-n', '4', '-r', '1'" in calls(made)[3]
    engine.close()


def test_noise_before_the_json_is_skipped() -> None:
    assert parse("load_backend: CPU\n" + json.dumps([ROW]), 8, 0).ns == 2_000_000


def test_a_markdown_table_is_read_where_there_is_no_json() -> None:
    assert parse(TABLE + "\nbuild: c03c2d7 (1)\n", 8, 0).ns == 2_000_000


@pytest.mark.parametrize("text", ["", "segfault", "[]", "[{}]", '[{"samples_ns": []}]', "| x | 0.00 ± 0.00 |"])
def test_an_output_without_a_result_is_an_error(text: str) -> None:
    with pytest.raises(EngineError, match="neither JSON nor a table"):
        parse(text, 8, 0)


def test_the_axes_become_the_options_of_either_project() -> None:
    ik = arguments(Axes(threads=2, merge_up_gate=True, repack=True, fused_moe=False, mmap=False), IK_HELP)
    assert ("-muge", "1") in pairwise(ik)
    assert ("-rtr", "1") in pairwise(ik)
    assert ("-fmoe", "0") in pairwise(ik)
    assert ("-mmp", "0") in pairwise(ik)
    mainline = arguments(Axes(repack=True, device="cuda:0", n_cpu_moe=3), MAINLINE_HELP)
    assert "-rtr" not in mainline
    assert ("-ncmoe", "3") in pairwise(mainline)
    assert ("-ngl", "999") in pairwise(mainline)


@pytest.mark.parametrize(
    ("axes", "help_text", "flag"),
    [(Axes(merge_up_gate=True), MAINLINE_HELP, "-muge"), (Axes(n_cpu_moe=2), IK_HELP, "-ncmoe")],
)
def test_an_option_the_binary_lacks_is_refused_not_left_out(axes: Axes, help_text: str, flag: str) -> None:
    with pytest.raises(EngineError, match=f"has no {flag}"):
        arguments(axes, help_text)


def test_a_size_from_which_experts_are_copied_is_refused() -> None:
    with pytest.raises(EngineError, match="the case wants expert_copy 48"):
        arguments(Axes(expert_copy="48"), MAINLINE_HELP)


def test_depth_is_asked_for_as_the_binary_can() -> None:
    assert test_arguments(8, 0, 64, MAINLINE_HELP) == ("-p", "8", "-n", "0", "-d", "64")
    assert test_arguments(0, 4, 64, IK_HELP) == ("-p", "0", "-n", "0", "-gp", "64,4")
    with pytest.raises(EngineError, match="at depth 64"):
        test_arguments(8, 0, 64, IK_HELP)


def test_a_binary_that_fails_is_quoted(binary: Make, model: str) -> None:
    made = binary(MAINLINE_HELP, "", error="error: failed to load model")
    with pytest.raises(EngineError, match="ended with 1: error: failed to load model"):
        LlamaBenchEngine().load(case(made, model))


def test_a_binary_that_is_not_there_is_named(model: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"nowhere cannot be started: No such file"):
        LlamaBenchEngine().load(case(tmp_path / "nowhere", model))


def test_without_a_binary_or_logits_it_says_so(model: str) -> None:
    with pytest.raises(EngineError, match="needs the path"):
        LlamaBenchEngine().load(Case("c", "x", ModelRef("m", model), Axes(), Test("pp"), Sampling()))
    with pytest.raises(EngineError, match="shows no logits"):
        LlamaBenchEngine().logits([1])
