"""Models this core cannot run, met as a user meets them: one sentence that names every tensor in the way."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import call, run

from harness.core.synth import write_tiny

DOWNS = [f"blk.{layer}.ffn_down_exps.weight" for layer in range(3)]
QUERIES = [f"blk.{layer}.attn_q.weight" for layer in range(3)]
NORMS = [f"blk.{layer}.attn_norm.weight" for layer in (1, 2)]

Damage = Callable[[bytearray], None]


def typed(types: dict[int, list[str]]) -> Damage:
    """Other type numbers in the header's tensor table."""

    def damage(file: bytearray) -> None:
        for number, names in types.items():
            for name in names:
                at = file.index(struct.pack("<Q", len(name)) + name.encode()) + 8 + len(name)
                (n_axes,) = struct.unpack_from("<I", file, at)
                struct.pack_into("<I", file, at + 4 + 8 * n_axes, number)

    return damage


def architecture(file: bytearray) -> None:
    at = file.index(b"qwen3moe", file.index(b"general.architecture"))
    file[at : at + 8] = b"qwen9moe"


CASES: dict[str, tuple[Damage, list[str]]] = {
    "types": (typed({34: DOWNS, 152: QUERIES}), [*DOWNS, *QUERIES, "TQ1_0", "IQ5_KS", "quantised with F32, F16"]),
    "norms": (typed({1: NORMS}), [*NORMS, "must be F32"]),
    "architecture": (architecture, ["'qwen9moe'", "gpt-oss, llama, qwen3moe", "use a peer engine"]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    def make(case: str) -> Path:
        write_tiny(tmp_path / "m.gguf", "qwen3moe", {"default": "Q8_0"})
        file = bytearray((tmp_path / "m.gguf").read_bytes())
        CASES[case][0](file)
        (tmp_path / "m.gguf").write_bytes(file)
        (tmp_path / "c.yaml").write_text(
            "name: c\nmodels: {m: {gguf: m.gguf}}\nmatrix: {device: 'cpu:0'}\ntests: [{pp: 8}]\ntime_budget: 5 s\n"
        )
        return tmp_path

    return make


@pytest.mark.parametrize("case", CASES)
def test_model_info_says_what_is_in_the_way(folder: Callable[[str], Path], case: str) -> None:
    done = call("model", "info", folder(case) / "m.gguf")
    assert done.exit_code == 3
    check(done.output, CASES[case][1])
    assert len(done.output.strip().splitlines()) == 1


@pytest.mark.parametrize("case", CASES)
def test_a_run_says_it_where_the_case_would_have_its_result(folder: Callable[[str], Path], case: str) -> None:
    here = folder(case)
    done = run("run", "c.yaml", cwd=here, COLUMNS="2000")
    assert done.returncode == 3, done.stderr
    check(done.stdout, CASES[case][1])


def check(said: str, words: list[str]) -> None:
    assert "Traceback" not in said
    assert [word for word in words if word not in said] == []
