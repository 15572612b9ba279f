"""Loading takes its buffers and no more, however large a model is; a 500 GB model is planned from its header."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.gguf import open_gguf
from harness.core.gguf.writer import write_hollow
from harness.core.loader.chunks import CHUNK_BYTES
from harness.core.loader.forecast import forecast
from harness.core.loader.readers import n_readers
from harness.core.models import Model, read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.synth.fill import Filler
from harness.core.synth.metadata import model_metadata
from harness.core.synth.presets import PRESETS
from harness.core.synth.shape import by_role
from harness.core.synth.tensors import tensor_specs

BOUND = 64 << 20
HUGE = replace(
    PRESETS["qwen3-30b-a3b-iq2_xxs"],
    n_layer=94,
    n_embd=4096,
    n_head=64,
    n_ff=3072,
    n_expert=160,
    format_of=by_role({"default": "Q6_K"}),
)
"""About 490 GB."""

PEAK = """
import resource, sys
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan

class Nowhere:
    def allocate(self, tensor): pass
    def place(self, tensor, first_row, rows): pass

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

with open_gguf(sys.argv[1]) as file:
    devices = ("reference", "reference:1")[: int(sys.argv[2])]
    mode = "graph" if len(devices) > 1 else "none"
    plan = make_plan(read_model(file), Options(devices=devices, split_mode=mode, merge_up_gate=True))
    before = peak()
    load_weights(plan, file, Nowhere())
    print(peak() - before)
"""


HELD = """
import sys
from pathlib import Path
from harness.core.backends import backend_for
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.plan.layout import held_bytes

def status(name):
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024

with open_gguf(sys.argv[1]) as file:
    options = Options(devices=("cpu:0",), merge_up_gate=True)
    plan = make_plan(read_model(file), options)
    backend = backend_for(options, plan.devices)
    assert sys.argv[2] in {tensor.layout for tensor in plan.tensors}
    before = status("VmRSS")
    load_weights(plan, file, backend, int(sys.argv[3]))
    print(status("VmHWM") - before, sum(map(held_bytes, plan.tensors)))
"""


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("huge") / "huge.gguf"
    _write_hollow(path, HUGE)
    return read_model(open_gguf(path))


@pytest.mark.parametrize("mode", ["layer", "graph"])
def test_a_model_of_half_a_terabyte_is_planned_with_bounded_buffers(huge: Model, mode: Any) -> None:
    devices = ("cuda:0", "cuda:1", "cpu:0")
    plan = make_plan(huge, Options(devices=devices, split_mode=mode, merge_up_gate=True, merge_qkv=True))
    found = forecast(plan)
    assert huge.size_bytes > 450e9
    assert huge.size_bytes <= sum(found.placed_bytes.values()) < 1.002 * huge.size_bytes
    assert found.buffer_bytes <= BOUND * found.n_readers
    assert found.n_readers == n_readers()
    assert found.read_bytes <= (1.001 if mode == "layer" else 3) * huge.size_bytes
    assert found.seconds(2e9) == found.read_bytes / 2e9


def test_a_forecast_counts_what_the_loader_reads(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("tiny-gpt-oss")), Options(devices=("reference",), merge_up_gate=True))
    found = forecast(plan)
    assert found.read_bytes == found.placed_bytes["reference"] == plan.model_size_bytes
    assert found.n_chunks == len(plan.tensors)


@pytest.mark.parametrize("n_devices", [1, 2])
def test_the_peak_over_what_was_there_before_is_within_the_bound(tmp_path: Path, n_devices: int) -> None:
    """A gigabyte of holes is read by a backend that keeps nothing, in a process of its own."""
    path = tmp_path / "large.gguf"
    _write_hollow(path, replace(HUGE, n_layer=1, n_expert=24, n_vocab=2000))
    assert path.stat().st_size > 700e6
    command = [sys.executable, "-c", PEAK, str(path), str(n_devices)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < BOUND * n_readers()


@pytest.fixture(scope="module")
def hollow(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """hollow("Q6_K"): hundreds of megabytes of zeros, read and held as any weights are, quickly made."""
    folder = tmp_path_factory.mktemp("hollow")

    def make(format_name: str) -> Path:
        path = folder / f"{format_name}.gguf"
        shape = replace(HUGE, n_layer=1, n_expert=12, n_vocab=2000, format_of=by_role({"default": format_name}))
        _write_hollow(path, shape)
        return path

    return make


@pytest.mark.parametrize(("format_name", "layout"), [("Q6_K", "packed"), ("IQ3_S", "rows")])
def test_nothing_is_on_the_host_twice(hollow: Callable[[str], Path], format_name: str, layout: str) -> None:
    assert _peak_over_the_weights(hollow(format_name), layout, CHUNK_BYTES) < BOUND * n_readers()


def test_the_peak_shows_a_loader_that_holds_whole_tensors(hollow: Callable[[str], Path]) -> None:
    assert _peak_over_the_weights(hollow("Q6_K"), "packed", 1 << 30) > BOUND * n_readers()


def _peak_over_the_weights(path: Path, layout: str, chunk_bytes: int) -> int:
    """In a process of its own: the most memory while loading, over what it had before and the weights themselves."""
    command = [sys.executable, "-c", HELD, str(path), layout, str(chunk_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, held = map(int, done.stdout.split())
    assert held > BOUND * n_readers()
    return peak - held


def _write_hollow(path: Path, shape: Any) -> None:
    filler = Filler(0)
    write_hollow(path, model_metadata(shape, "huge"), [filler.source(spec) for spec in tensor_specs(shape)])
