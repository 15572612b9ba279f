from pathlib import Path

import pytest
from made_configs import found
from mutations import CONFIGS, mutated

from harness.config import expand, parse_config
from harness.config.problems import Mistakes
from harness.errors import ConfigError, ModelNotFound

N_SEEDS = 5000
N_PARTS = 10


def mistakes_in(data: bytes) -> Mistakes | None:
    try:
        config = parse_config(data, "config.yaml", Path("/nowhere"))
        expand(config, resolve=lambda: ("cpu:0", ""), find=found)
    except Mistakes as mistakes:
        return mistakes
    return None


@pytest.mark.parametrize("part", range(N_PARTS))
def test_a_broken_config_is_refused_with_a_place_or_accepted_and_never_crashes(part: int) -> None:
    refused = 0
    for seed in range(part, N_SEEDS, N_PARTS):
        mistakes = mistakes_in(mutated(seed))
        if mistakes is None:
            continue
        refused += 1
        assert mistakes.problems, seed
        assert all(p.mark.line >= 1 and p.mark.column >= 1 and p.what for p in mistakes.problems), seed
        assert all(line.isprintable() for line in str(mistakes).split("\n")), seed
    assert refused > N_SEEDS / N_PARTS / 4  # else the mutations prove nothing


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_a_shipped_config_is_good_wherever_auto_leads(path: Path) -> None:
    for device in ("cpu:0", "cuda:0"):
        config = parse_config(path.read_bytes(), path.name, path.parent)
        assert expand(config, resolve=lambda d=device: (d, ""), find=found).cases


def test_a_missing_file_and_a_folder_are_refused_in_a_sentence(tmp_path: Path) -> None:
    from harness.config import load_config

    (tmp_path / "gptoss.yaml").write_text("models: {m: a.gguf}")
    with pytest.raises(ConfigError, match=r"gptos\.yaml: cannot be read: No such file.*did you mean .*gptoss\.yaml\?"):
        load_config(tmp_path / "gptos.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)


def test_a_model_that_is_nowhere_is_no_config_mistake() -> None:
    assert not issubclass(ModelNotFound, ConfigError)
