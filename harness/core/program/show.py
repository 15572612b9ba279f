"""A program as text for people: every operation with its cost, equal layers folded into one line."""

import re
from dataclasses import dataclass, field

from harness.core.plan.text import format_bytes, format_layers, format_table
from harness.core.plan.types import Plan
from harness.core.program.costs import NOTHING, Cost, Load, op_cost, program_cost
from harness.core.program.op import ANY_SIZE, Op, Program, Sizes

_BLOCK = re.compile(r"^blk\.\d+\.|\.weight$")
_HEAD = ("layers", "operation", "device", "weights", "params", "MACs", "weight bytes", "KV bytes", "launches")


@dataclass
class _Line:
    """One printed line: the layers it stands for and what they cost together."""

    layers: list[int] = field(default_factory=list)
    cost: Cost = NOTHING


def format_program(program: Program, plan: Plan, load: Load | None = None) -> str:
    """What `harness plan --program` prints, for one generated token unless `load` says otherwise."""
    load = load or Load()
    lines: dict[tuple[str, ...], _Line] = {}
    for op in program.ops:
        line = lines.setdefault(_row(op), _Line())
        line.layers += [op.layer] if op.layer >= 0 else []
        line.cost += op_cost(op, plan, load)
    rows = [(format_layers(line.layers) or "-", *row, *_figures(line.cost)) for row, line in lines.items()]
    total = ("all", f"{len(program.ops)} operations", "", "", "", *_figures(program_cost(program, plan, load)))
    head = f"one ubatch of {load.n_tokens} tokens at depth {load.depth}"
    return "\n".join([head, "", *format_table([_HEAD, *rows, total])])


def _row(op: Op) -> tuple[str, ...]:
    weights = ", ".join(_BLOCK.sub("", name) for name in op.weights.values())
    params = " ".join(f"{key}={_short(value)}" for key, value in op.params.items() if key not in ("slot", "rope_table"))
    return (op.name, op.device, weights, " ".join(filter(None, (_sizes(op.sizes), params))))


def _sizes(sizes: Sizes) -> str:
    """For how many tokens an operation is, if not for any number."""
    if sizes == ANY_SIZE:
        return ""
    return f"[up to {sizes.most} tokens]" if sizes.least == 1 else f"[from {sizes.least} tokens]"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figures(cost: Cost) -> tuple[str, ...]:
    return (
        f"{cost.macs / 1e6:,.2f} M" if cost.macs else "",
        format_bytes(cost.weight_bytes) if cost.weight_bytes else "",
        format_bytes(cost.kv_bytes) if cost.kv_bytes else "",
        str(cost.launches),
    )
