"""What each operation of the real models could not be faster than on cards one can buy. Bounds, not results.

`python -m harness.core.cuda.bounds` prints the table that docs/cuda_kernels.md ends with; a test keeps the two equal.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.gguf import open_gguf
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import Plan, make_plan
from harness.core.program.build import build_program
from harness.core.program.costs import Load, op_cost
from harness.core.program.op import Program
from harness.core.synth.hollow import write_hollow_preset

MACS_PER_CYCLE = {75: 1024, 80: 2048, 86: 1024, 89: 1024, 90: 2048, 120: 1024}
"""int8 multiply-adds of `mma.sync`, per multiprocessor and clock cycle, dense."""
PRESETS = ("gpt-oss-20b", "qwen3-30b-a3b-iq2_xxs")
LOADS = (Load(2048), Load(512), Load(1))


@dataclass(frozen=True)
class Card:
    """As its maker lists it."""

    name: str
    compute_capability: int
    n_multiprocessors: int
    boost_hz: float
    bytes_per_ns: float

    def bound_ns(self, macs: float, n_bytes: float) -> float:
        """The least time for so many products and bytes."""
        return least_ns(macs, n_bytes, self.macs_per_ns, self.bytes_per_ns)

    @property
    def macs_per_ns(self) -> float:
        """int8 multiply-adds at the boost clock."""
        return paper_macs_per_ns(self.compute_capability, self.n_multiprocessors, self.boost_hz)


CARDS = (
    Card("2080 Ti", 75, 68, 1.545e9, 616),
    Card("RTX 3090", 86, 82, 1.695e9, 936),
    Card("RTX 4090", 89, 128, 2.52e9, 1008),
    Card("RTX 5090", 120, 170, 2.41e9, 1792),
)


def least_ns(macs: float, n_bytes: float, macs_per_ns: float, bytes_per_ns: float) -> float:
    """max(products / rate, bytes / bandwidth)."""
    return max(macs / macs_per_ns, n_bytes / bytes_per_ns)


def paper_macs_per_ns(compute_capability: int, n_multiprocessors: int, clock_hz: float) -> float:
    """int8 multiply-adds of a card's tensor cores."""
    return MACS_PER_CYCLE.get(compute_capability, 1024) * n_multiprocessors * clock_hz / 1e9


def table() -> str:
    """A row per model, ubatch and operation, summed over the model's layers."""
    cards = "".join(f" {card.name} us |" for card in CARDS)
    lines = [f"| model | tokens | operation | GMAC | MB |{cards}", "|---|---|---|---|---|" + "---|" * len(CARDS)]
    with TemporaryDirectory(prefix="harness-bounds-") as folder:
        for preset in PRESETS:
            path = Path(folder) / f"{preset}.gguf"
            write_hollow_preset(preset, path)
            with open_gguf(path) as file:
                model = read_model(file)
                plan = make_plan(model, Options(devices=("cuda:0",), merge_up_gate=True))
                lines += list(_rows(preset, build_program(model, plan), plan))
    return "\n".join(lines) + "\n"


def _rows(preset: str, program: Program, plan: Plan) -> Iterator[str]:
    for load in LOADS:
        for name in dict.fromkeys(op.name for op in program.ops):
            costs = [op_cost(op, plan, load) for op in program.ops if op.name == name]
            macs, n_bytes = sum(cost.macs for cost in costs), sum(cost.weight_bytes + cost.kv_bytes for cost in costs)
            if macs < 1e6:
                continue
            bounds = (sum(card.bound_ns(c.macs, c.weight_bytes + c.kv_bytes) for c in costs) for card in CARDS)
            cells = "".join(f" {bound / 1e3:.0f} |" for bound in bounds)
            yield f"| {preset} | {load.n_tokens} | {name} | {macs / 1e9:.1f} | {n_bytes / 1e6:.0f} |{cells}"


def main() -> None:
    """Print the table."""
    sys.stdout.write(table())


if __name__ == "__main__":
    main()
