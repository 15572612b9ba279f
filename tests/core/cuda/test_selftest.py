"""What `harness selftest` says on a device that is right, on one that is wrong, and how it times a card."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_cupy import FakeCupy
from typer.testing import CliRunner

from harness.cli import selftest as command
from harness.core.cuda import device as device_module
from harness.core.cuda import limits, timing
from harness.core.cuda import selftest as selftest_module
from harness.core.cuda.api import Device
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.context import CudaContext
from harness.core.cuda.device import CudaDevice
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.cuda.proof import load_model
from harness.core.cuda.selftest import selftest
from harness.core.cuda.sources import KERNELS
from harness.core.errors import DeviceError
from harness.core.options import Options


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest_module, "RUNS", ((7, 3), (65, 11)))


def test_a_device_that_is_right_passes_every_check() -> None:
    checks = list(selftest(EmulatedDevice(), ["tiny-llama"], ["MXFP4", "F16"]))
    assert [str(check) for check in checks if not check.is_right] == []
    assert len(checks) == 3 + 2 + 1


@pytest.fixture
def broken(tmp_path: Path) -> EmulatedDevice:
    shutil.copytree(KERNELS, tmp_path / "kernels")
    source = tmp_path / "kernels" / "product_mma.cuh"
    source.write_text(source.read_text().replace("__fadd_rn(residual[at], biased)", "biased"))
    return EmulatedDevice(sources=tmp_path / "kernels")


def test_a_device_that_is_wrong_fails_with_what_to_report(
    broken: EmulatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest_module, "open_device", lambda _name: broken)
    monkeypatch.setattr(selftest_module, "selftest", lambda device: selftest(device, ["tiny-llama"], []))
    result = CliRunner().invoke(command.app, ["--device", "cuda-emulated:0"])
    assert result.exit_code == 3
    assert "WRONG operations of tiny-llama: attn_out of layer 0" in result.stdout
    assert "WRONG bits of tiny-llama at two ubatches and from graphs" in result.stdout
    assert "Please report these lines" in result.stderr
    assert "compute capability 8.6" in result.stderr


def test_only_cuda_devices_are_tested() -> None:
    result = CliRunner().invoke(command.app, ["--device", "cpu:0"])
    assert result.exit_code == 2
    assert "cpu:0 is no CUDA device" in result.stderr


def pretend_a_card(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeCupy:
    """On which every interval takes a quarter of a millisecond."""
    fake = FakeCupy()
    fake.free_bytes = 4 << 30
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(
        device_module, "compile_kernel", lambda kernel, _arch: SimpleNamespace(path=folder / kernel.source)
    )
    return fake


def context_on(device: Device, path: Path) -> CudaContext:
    options, backend = Options(devices=("cuda:0",), n_ctx=64, ubatch=8), CudaBackend(device)
    return backend.context(load_model(path, options, backend), options)


@pytest.mark.parametrize("n_tokens", [5, 1])
def test_a_profiled_run_times_every_operation_in_order_by_events(
    n_tokens: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Callable[..., Path]
) -> None:
    fake = pretend_a_card(monkeypatch, tmp_path)
    context = context_on(CudaDevice(0), made("tiny-gpt-oss"))
    fake.log.clear()
    logits, op_ns = context.run_profiled(np.zeros(n_tokens, np.int32), 3, "last")
    assert logits is not None
    n_ops = 1 + 3 * 8 + 2  # embed; three layers; output norm, logits
    assert op_ns.tolist() == [250_000] * n_ops
    timed = [entry for entry in fake.log if entry[0] in ("record", "replay", "wait for")][-2 * n_ops - 2 :]
    assert [entry[0] for entry in timed] == ["record", *["replay", "record"] * n_ops, "wait for"]
    assert len({entry[1] for entry in timed if entry[0] == "record"}) == n_ops + 1


def test_operations_on_an_emulated_device_are_not_timed(made: Callable[..., Path]) -> None:
    with pytest.raises(DeviceError, match=r"says nothing about their speed; use a card, cuda:0, or a CPU"):
        context_on(EmulatedDevice(), made("tiny-llama")).run_profiled(np.zeros(2, np.int32), 0, "last")


def test_a_card_is_timed_operation_by_operation_beside_its_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_a_card(monkeypatch, tmp_path)
    monkeypatch.setattr(timing, "STAND_IN", {"tiny-gpt-oss": 1})
    monkeypatch.setattr(limits, "COPIED_BYTES", 1 << 20)
    timed = list(timing.time_operations(CudaDevice(0)))
    assert {(each.n_tokens, each.op) for each in timed} >= {(512, "moe_up_gate"), (1, "attention"), (1, "logits")}
    assert all(each.took_ns == 250_000 and each.bound_ns > 0 for each in timed if each.op == "moe_up_gate")
    prompt = next(each for each in timed if (each.n_tokens, each.op) == (512, "moe_up_gate"))
    assert prompt.kernels == "sort_slots list_tiles expert_gate_up_mma_64"
    assert "250.0 us" in str(prompt)


def test_the_bound_is_the_slower_of_bytes_and_products() -> None:
    card = SimpleNamespace(
        properties=SimpleNamespace(compute_capability=86, n_multiprocessors=82), clock_hz=1_695_000_000
    )
    products_a_ns = 1024 * 82 * 1.695
    assert timing.bound_ns(card, 1e9, 0, 800.0) == pytest.approx(1e9 / products_a_ns)  # type: ignore[arg-type]
    assert timing.bound_ns(card, 1e9, 1e9, 800.0) == 1e9 / 800.0  # type: ignore[arg-type]
