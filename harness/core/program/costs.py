"""What a program costs: multiply-accumulates, bytes and launches of every operation.

Counts follow the plan's shapes, not a backend's padding. Experts of T tokens are taken as drawn evenly at random, so
E * (1 - (1 - k/E)^T) of E are expected to be read.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.core.plan.types import Plan
from harness.core.program.op import ANY_SIZE, Op, Program

_KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
"""Of one number in the KV cache."""


@dataclass(frozen=True)
class Cost:
    """Of one operation, or of a program, for one ubatch. `launches`: kernels a GPU would start.

    `activation_bytes`: float32 that matrix products read and write, and what an activation of its own reads and writes
    again; each product reads its input once.
    """

    macs: float
    weight_bytes: float
    kv_bytes: float
    launches: int
    activation_bytes: float = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.macs + other.macs,
            self.weight_bytes + other.weight_bytes,
            self.kv_bytes + other.kv_bytes,
            self.launches + other.launches,
            self.activation_bytes + other.activation_bytes,
        )


NOTHING = Cost(0, 0, 0, 0)


@dataclass(frozen=True)
class Load:
    """What is asked of a program: `n_tokens` in one ubatch with `depth` positions before them."""

    n_tokens: int = 1
    depth: int = 0
    n_logits: int = 1


def program_cost(program: Program, plan: Plan, load: Load) -> Cost:
    """The sum over all operations."""
    return _total(op_costs(program, plan, load))


def op_costs(program: Program, plan: Plan, load: Load) -> tuple[Cost, ...]:
    """The cost of every operation, in order."""
    return tuple(op_cost(op, plan, own) for op, own in zip(program.ops, op_loads(program, load), strict=True))


def op_loads(program: Program, load: Load) -> tuple[Load, ...]:
    """What every operation is asked for, in order.

    Once the last layer's keys and values are stored, a CPU carries on only the tokens whose logits are wanted.
    """
    stored = max((place for place, op in enumerate(program.ops) if op.name == "qkv"), default=-1)
    wanted = Load(load.n_logits, load.depth + load.n_tokens - load.n_logits, load.n_logits)

    def carried(place: int, op: Op) -> Load:
        narrows = op.device.startswith("cpu") or op.sizes != ANY_SIZE
        return wanted if place > stored and narrows else load

    return tuple(carried(place, op) for place, op in enumerate(program.ops))


def op_cost(op: Op, plan: Plan, load: Load) -> Cost:
    """The cost of one operation, see `Load`; of no tokens, or of others than it is for, nothing."""
    if load.n_tokens not in op.sizes:
        return NOTHING
    count = _COSTS.get(op.name)
    return count(op, plan, load) if count is not None else Cost(0, 0, 0, 1)


def expected_experts(n_expert: int, top_k: int, n_tokens: int) -> float:
    """How many of `n_expert` are used at least once when each of `n_tokens` draws `top_k` of them evenly."""
    return n_expert * (1.0 - (1.0 - top_k / n_expert) ** n_tokens)


def row_cost(program: Program, plan: Plan, n_prompt: int, n_gen: int, depth: int = 0) -> Cost:
    """The cost of a whole test at `depth`: the prompt in ubatches, then `n_gen` tokens one by one.

    Divide by the number of tokens for the record's figures per token. A prompt asks for its last logits only.
    """
    ubatch, end = plan.options.ubatch, depth + n_prompt
    starts = range(depth, end, ubatch)
    prompt = (Load(min(ubatch, end - start), start, int(start + ubatch >= end)) for start in starts)
    tokens = (Load(1, end + position) for position in range(n_gen))
    return _total(program_cost(program, plan, load) for load in (*prompt, *tokens))


def _embed(op: Op, plan: Plan, load: Load) -> Cost:
    row_bytes = plan.tensor(op.weights["table"], op.device).row_bytes
    return Cost(0, load.n_tokens * row_bytes, 0, 1)


def _dense(op: Op, plan: Plan, load: Load) -> Cost:
    return _matrices(op, plan, load.n_tokens)


def _logits(op: Op, plan: Plan, load: Load) -> Cost:
    return _matrices(op, plan, load.n_logits) if load.n_logits else NOTHING


def _qkv(op: Op, plan: Plan, load: Load) -> Cost:
    slot_bytes = _kv_row_bytes(op, plan)
    return _matrices(op, plan, load.n_tokens) + Cost(0, 0, load.n_tokens * slot_bytes, 1)


def _attention(op: Op, plan: Plan, load: Load) -> Cost:
    heads, widths = int(op.params["n_head"]), int(op.params["head_dim"]) + int(op.params["head_dim_v"])
    window = int(op.params["window"])
    seen = [min(load.depth + t + 1, window or load.depth + t + 1) for t in range(load.n_tokens)]
    first = max(0, load.depth + 1 - window) if window else 0
    kv_bytes = (load.depth + load.n_tokens - first) * _kv_row_bytes(op, plan)
    return Cost(sum(seen) * heads * widths, _bytes(op, plan), kv_bytes, 1)


def _moe_up_gate(op: Op, plan: Plan, load: Load) -> Cost:
    matrices = _experts(op, plan, load)
    n_launches = matrices.launches if not op.params["fused"] else 1
    activation = 0 if op.params["fused"] else 1
    per_expert = op.params["path"] == "per_expert"
    repeats = round(_distinct(op, load)) if per_expert else 1
    return Cost(
        matrices.macs,
        matrices.weight_bytes,
        0,
        n_launches * repeats + activation,
        _up_gate_bytes(op, plan, load, n_inputs=n_launches),
    )


def _up_gate_bytes(op: Op, plan: Plan, load: Load, n_inputs: int) -> float:
    """The input for each product, the result; unfused, both halves are written and read in between."""
    n_pairs, n_ff = load.n_tokens * int(op.params["top_k"]), int(op.params["n_ff"])
    n_columns = _expert_shapes(op, plan)[0][-1]
    halves = 0 if op.params["fused"] else 2 * 2 * n_ff
    return 4.0 * n_pairs * (n_inputs * n_columns + halves + n_ff)


def _experts(op: Op, plan: Plan, load: Load) -> Cost:
    n_expert, top_k = int(op.params["n_expert"]), int(op.params["top_k"])
    n_pairs = load.n_tokens * top_k
    shapes = _expert_shapes(op, plan)
    return Cost(
        macs=sum(rows * columns for rows, columns in shapes) * n_pairs,
        weight_bytes=_bytes(op, plan) * _distinct(op, load) / n_expert,
        kv_bytes=0,
        launches=len(shapes),
        activation_bytes=4.0 * n_pairs * sum(rows + columns for rows, columns in shapes),
    )


def _expert_shapes(op: Op, plan: Plan) -> list[tuple[int, int]]:
    """(rows, columns) of one expert in each matrix."""
    stacks = [plan.tensor(op.weights[role], op.device).shape for role in op.weights if not role.endswith("_bias")]
    return [(stack[-2], stack[-1]) for stack in stacks]


def _distinct(op: Op, load: Load) -> float:
    return expected_experts(int(op.params["n_expert"]), int(op.params["top_k"]), load.n_tokens)


def _matrices(op: Op, plan: Plan, n_tokens: int) -> Cost:
    shapes = [plan.tensor(name, op.device).shape for name in op.weights.values()]
    matrices = [shape for shape in shapes if len(shape) == 2]
    return Cost(
        macs=sum(rows * columns for rows, columns in matrices) * n_tokens,
        weight_bytes=_bytes(op, plan),
        kv_bytes=0,
        launches=max(1, len(matrices)),
        activation_bytes=4.0 * n_tokens * sum(rows + columns for rows, columns in matrices),
    )


def _bytes(op: Op, plan: Plan) -> int:
    return sum(plan.tensor(name, op.device).n_bytes for name in op.weights.values())


def _kv_row_bytes(op: Op, plan: Plan) -> float:
    k, v = _KV_BYTES[plan.options.type_k], _KV_BYTES[plan.options.type_v]
    return int(op.params["n_head_kv"]) * (k * int(op.params["head_dim"]) + v * int(op.params["head_dim_v"]))


def _total(costs: Iterable[Cost]) -> Cost:
    return sum(costs, NOTHING)


_COSTS: dict[str, Callable[[Op, Plan, Load], Cost]] = {
    "embed": _embed,
    "rms_norm": _dense,
    "qkv": _qkv,
    "attention": _attention,
    "attn_out": _dense,
    "route": _dense,
    "moe_up_gate": _moe_up_gate,
    "moe_down": _experts,
    "ffn": _dense,
    "ffn_up_gate": _dense,
    "logits": _logits,
}
