"""Too little memory is found before any of it is taken."""

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import OutOfMemoryError
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights, stream
from harness.core.loader.host_memory import available_bytes, require_room
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.plan.layout import held_bytes


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def test_the_machine_gives_what_it_says_is_available(tmp_path: Path) -> None:
    folder = written(tmp_path, meminfo="MemTotal: 100 kB\nMemAvailable: 64 kB\n")
    assert available_bytes(folder / "meminfo", tmp_path) == 64 * 1024


def test_a_control_group_gives_what_its_limit_leaves_and_the_page_cache_counts_as_free(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        meminfo="MemAvailable: 64 kB\n",
        memory_max="9000\n",
        memory_current="5000\n",
        memory_stat="anon 3000\ninactive_file 1500\n",
    )
    assert available_bytes(folder / "meminfo", folder) == 5500


def test_a_control_group_without_a_limit_gives_the_machine_s(tmp_path: Path) -> None:
    folder = written(tmp_path, meminfo="MemAvailable: 64 kB\n", memory_max="max\n", memory_current="5000\n")
    assert available_bytes(folder / "meminfo", folder) == 64 * 1024


def test_too_little_is_a_sentence_with_bytes_and_the_largest_tensor(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("tiny-gpt-oss")), Options(devices=("cpu:0", "cpu:1"), split_mode="layer"))
    needed = sum(held_bytes(tensor) for tensor in plan.tensors)
    require_room(plan, 0, available=needed)
    with pytest.raises(
        OutOfMemoryError, match=r"need [\d.]+ MiB of host memory and 1000 B are .* 195,840 bytes on cpu"
    ):
        require_room(plan, 0, available=1000)


def test_mapped_weights_and_those_of_a_card_need_no_room(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    for options in (Options(devices=("cpu:0",), layout="mapped"), Options(devices=("cuda:0",))):
        require_room(make_plan(model, options), 0, available=0)


def test_nothing_is_allocated_where_there_is_no_room(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OutOfMemoryError("too little")

    monkeypatch.setattr(stream, "require_room", refuse)
    with open_gguf(made("tiny-llama")) as file, pytest.raises(OutOfMemoryError, match="too little"):
        load_weights(make_plan(read_model(file), Options(devices=("reference",))), file, backend=None)  # type: ignore[arg-type]
