"""Checks every kernel on the user's own device and says in a line each what was found.

The device is right when every operation agrees with the q8 reference, tensor cores give the bits of the row kernels,
and a replayed graph gives the bits of the prompt. No test suite is needed to run this; the emulator runs it as well.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda.api import Device
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.context import CudaContext
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.cuda.proof import Proof, ReferenceSide, distance, load_model
from harness.core.cuda.shapes import FEW
from harness.core.cuda.sources import formats
from harness.core.devices import usable_cuda
from harness.core.errors import DeviceError
from harness.core.options import Options
from harness.core.plan.layout import index_of, kind_of
from harness.core.reference import ReferenceBackend
from harness.core.synth import write_preset, write_tiny

PRESETS = ("tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama", "tiny-mixtral")
RUNS = ((1, 0), (7, 3), (9, 255), (65, 11), (1, 270))
"""(tokens, position): one, a ragged few, across a chunk of keys, on tensor cores, in the second chunk."""
N_PROMPT, N_GENERATED = 270, 8
N_PROMPT_EMULATED = 40
"""What a card does in no time takes the emulator, watching, minutes."""


@dataclass(frozen=True)
class Check:
    """One line: what was checked, whether it is right, and what was found where it is not."""

    what: str
    is_right: bool
    found: str

    def __str__(self) -> str:
        return f"{'ok' if self.is_right else 'WRONG':<6}{self.what}: {self.found}"


def open_device(name: str) -> Device:
    """`cuda:N`, or `cuda-emulated:N` with every access watched. Errors: DeviceError."""
    if kind_of(name) == "cuda-emulated":
        return EmulatedDevice(checked=True)
    from harness.core.cuda.device import CudaDevice  # noqa: PLC0415  imports CuPy when opened

    usable, reason = usable_cuda()
    if not usable:
        raise DeviceError(f"{name} cannot be used: {reason}; without a card, cuda-emulated:0 checks the kernels")
    return CudaDevice(index_of(name))


def selftest(device: Device, presets: Sequence[str] = PRESETS, names: Collection[str] = formats()) -> Iterator[Check]:
    """All checks of these models and formats; nothing is kept on disk. Errors: DeviceError when the device fails."""
    with TemporaryDirectory(prefix="harness-selftest-") as folder:
        for preset in presets:
            path = Path(folder) / f"{preset}.gguf"
            write_preset(preset, path)
            yield _operations(device, preset, path, RUNS)
            yield _same_bits(device, preset, path)
            yield _whole_model(device, preset, path)
        for name in sorted(names):
            path = Path(folder) / f"{name}.gguf"
            write_tiny(path, "qwen3moe", {"default": name}, n_layer=1, n_embd=256, n_ff=256, n_expert=5, top_k=2)
            yield _operations(device, f"format {name}", path, ((3, 1), (65, 0)))
            path.unlink()
    if isinstance(device, EmulatedDevice):
        reports = device.reports()
        yield Check("accesses to memory", not reports, reports or "no race, none out of bounds, none misaligned")


def _operations(device: Device, what: str, path: Path, runs: tuple[tuple[int, int], ...]) -> Check:
    proof = Proof(device, ReferenceSide(path))
    found = [finding for n_tokens, position in runs for finding in proof.findings(n_tokens, position)]
    wrong = [str(finding) for finding in found if not finding.is_right]
    return Check(f"operations of {what}", not wrong, "; ".join(wrong[:3]) or f"{len(found)} results agree")


def _same_bits(device: Device, preset: str, path: Path) -> Check:
    """Prompts on tensor cores, in small pieces by rows, and token by token from graphs."""
    n_prompt = N_PROMPT_EMULATED if isinstance(device, EmulatedDevice) else N_PROMPT
    tokens = _tokens(n_prompt)
    large, small = (_context(device, path, ubatch).run_all(tokens) for ubatch in (n_prompt, FEW))
    stepped = _context(device, path, n_prompt)
    stepped.run_all(tokens[:-N_GENERATED])
    replayed = stepped.run_all(tokens[-N_GENERATED:], step=1)
    by_rows, by_graph = distance(small, large), distance(replayed, large[-N_GENERATED:])
    equal = by_rows == by_graph == 0.0
    found = "equal" if equal else f"small ubatches are {by_rows:.1e} away, graphs {by_graph:.1e}"
    return Check(f"bits of {preset} at two ubatches and from graphs", equal, found)


def _whole_model(device: Device, preset: str, path: Path) -> Check:
    tokens = _tokens(40)
    options = Options(devices=("reference-q8",), n_ctx=64, ubatch=64)
    backend = ReferenceBackend("reference-q8")
    expected = backend.context(load_model(path, options, backend), options).run(tokens, 0, "all")
    found = _context(device, path, 64).run_all(tokens)
    off = 1.0 if expected is None else distance(found, expected)
    return Check(
        f"logits of {preset}", off == 0.0, "the reference's" if off == 0.0 else f"{off:.1e} from the reference"
    )


@dataclass
class _Stream:
    """A context that is fed in ubatches and gives all logits."""

    context: CudaContext
    ubatch: int
    position: int = 0

    def run_all(self, tokens: NDArray[np.int32], step: int = 0) -> NDArray[np.float32]:
        parts = []
        for first in range(0, len(tokens), step or self.ubatch):
            part = tokens[first : first + (step or self.ubatch)]
            logits = self.context.run(part, self.position, "all")
            self.position += len(part)
            parts += [logits] if logits is not None else []
        return np.concatenate(parts)


def _context(device: Device, path: Path, ubatch: int) -> _Stream:
    options = Options(devices=("cuda:0",), n_ctx=N_PROMPT + N_GENERATED, ubatch=ubatch)
    backend = CudaBackend(device)
    return _Stream(backend.context(load_model(path, options, backend), options), ubatch)


def _tokens(n: int) -> NDArray[np.int32]:
    return np.random.default_rng(7).integers(0, 331, n).astype(np.int32)
