from pathlib import Path

import numpy as np
import pytest
from command_line import call

from harness.core.gguf import open_gguf


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    assert call("model", "synth", "tiny-gpt-oss", path, "--layers", "2").exit_code == 0
    return path


def test_synth_writes_the_preset_cut_to_size_and_prints_its_path(tmp_path: Path) -> None:
    path = tmp_path / "made.gguf"
    result = call("model", "synth", "tiny-llama", path, "--layers", "1", "--vocab", "300", "--seed", "7")
    assert (result.exit_code, result.output) == (0, f"{path}\n")
    with open_gguf(path) as file:
        assert file.metadata["llama.block_count"] == 1
        assert file.tensors["token_embd.weight"].shape[0] == 300


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in "abc")
    for path, seed in ((one, 1), (other, 1), (third, 2)):
        call("model", "synth", "tiny-llama", path, "--seed", seed)
    assert one.read_bytes() == other.read_bytes() != third.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpt-oss"], "gpt-oss: no preset; there are gpt-oss-20b, "),
        (["tiny-llama", "--layers", "9"], "--layers 9 is more than tiny-llama has, which is 2"),
    ],
)
def test_a_preset_that_cannot_be_made_is_a_usage_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = call("model", "synth", arguments[0], tmp_path / "x.gguf", *arguments[1:])
    assert result.exit_code == 2
    assert message in result.output
    assert not list(tmp_path.iterdir())


def test_info_shows_sizes_formats_and_merges(tiny: Path) -> None:
    result = call("model", "info", tiny)
    assert result.exit_code == 0
    for text in ("gpt-oss, 2 layers", "8 experts, 3 per token", "ffn_gate_exps.weight", "MXFP4", "up_gate  yes  0-1"):
        assert text in result.output


def test_info_of_what_is_no_model_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("not a model")
    result = call("model", "info", path)
    assert result.exit_code == 3
    assert len(result.output.strip().splitlines()) == 1
    missing = call("model", "info", tmp_path / "absent.gguf")
    assert missing.exit_code == 3
    assert "absent.gguf" in missing.output


def test_a_name_in_a_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    from dataclasses import replace

    from harness.cli.model_info import format_info
    from harness.core.models.describe import describe

    path = tmp_path / "made.gguf"
    call("model", "synth", "tiny-llama", path)
    hostile = replace(describe(path), name="\x1b]0;owned\x07\u202e", formats={"\x1b[2J": ("F32",)})
    assert all(line.isprintable() for line in format_info(hostile).split("\n"))


def test_logits_are_float32_of_every_position(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.npy"
    result = call("model", "logits", tiny, "--tokens", "5,1,2", "--out", out, "--device", "reference")
    assert result.exit_code == 0, result.output
    logits = np.load(out)
    assert (logits.dtype, logits.shape) == (np.float32, (3, 288))


def test_logits_do_not_depend_on_step_or_merge_or_where_the_tokens_come_from(tiny: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("5 1\n2, 9")
    found = []
    for extra in ([], ["--step"], ["--merge-up-gate", "on"], ["--set", "muge=on", "--set", "ubatch=2"]):
        out = tmp_path / "x.npy"
        arguments = ["--tokens", f"@{tokens}", "--out", out, "--device", "reference", *extra]
        assert call("model", "logits", tiny, *arguments).exit_code == 0
        found.append(np.load(out))
    for other in found[1:]:
        assert np.linalg.norm(other - found[0]) <= 1e-3 * np.linalg.norm(found[0])


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--tokens", "1,x"], "--tokens: expected token ids such as 1,2,3, found x"),
        (["--tokens", ""], "--tokens: expected token ids such as 1,2,3, found none"),
        (["--tokens", "@absent.txt"], "--tokens: absent.txt cannot be read"),
        (["--tokens", "1", "--set", "fused_mo=off"], "did you mean fused_moe?"),
        (["--tokens", "1", "--device", "gpu"], "did you mean cuda:0?"),
        (["--tokens", "1", "--merge-up-gate", "maybe"], "expected on or off"),
    ],
)
def test_mistakes_in_what_is_asked_are_usage_errors(tiny: Path, tmp_path: Path, extra: list[str], message: str) -> None:
    result = call("model", "logits", tiny, "--out", tmp_path / "x.npy", *extra)
    assert result.exit_code == 2
    assert message in result.output
    assert not list(tmp_path.glob("*.npy"))


def test_a_token_outside_the_vocabulary_is_told(tiny: Path, tmp_path: Path) -> None:
    result = call("model", "logits", tiny, "--tokens", "999", "--out", tmp_path / "x.npy", "--device", "reference")
    assert result.exit_code == 3
    assert "token 999 is not in the vocabulary of 288" in result.output
