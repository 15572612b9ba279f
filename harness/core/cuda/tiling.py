"""How many tiles a program's products are cut into: pieces of rows by tokens, in the shapes that shapes.py chooses.

A block of threads has a tile; one of the row kernels that fuses gate and up has one of each. Experts of T tokens are
taken as drawn evenly at random, so their tiles are expected ones. Without a card the shapes are those that fit all.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import exp, lgamma, log, log1p

from harness.core.cuda.shapes import Shape, shape_for, shape_for_experts
from harness.core.plan.types import Plan
from harness.core.program.costs import Load, op_loads
from harness.core.program.op import Op, Program

_EXPERTS = ("moe_up_gate", "moe_down")
_NO_PRODUCTS = ("embed", "attention")
_QKV = ("q", "k", "v", "qk", "qkv")


def op_tiles(program: Program, plan: Plan, load: Load, architecture: int | None) -> tuple[float, ...]:
    """The tiles of every operation, in order, on a card of that compute capability (86 for 8.6)."""
    return tuple(
        _tiles(op, plan, own, architecture or 0) for op, own in zip(program.ops, op_loads(program, load), strict=True)
    )


@lru_cache(maxsize=4096)
def expected_token_tiles(n_expert: int, top_k: int, n_tokens: int, tile_tokens: int) -> float:
    """Tiles that an expert's tokens are expected to fill: of Binomial(n_tokens, k/E) many, the last tile in part."""
    share = top_k / n_expert
    if share >= 1:
        return _pieces(n_tokens, tile_tokens)
    used, unused = log(share), log1p(-share)

    def chance(count: int) -> float:
        ways = lgamma(n_tokens + 1) - lgamma(count + 1) - lgamma(n_tokens - count + 1)
        return exp(ways + count * used + (n_tokens - count) * unused)

    return sum(chance(count) * _pieces(count, tile_tokens) for count in range(1, n_tokens + 1))


def _tiles(op: Op, plan: Plan, load: Load, architecture: int) -> float:
    if op.name in _NO_PRODUCTS or load.n_tokens not in op.sizes:
        return 0
    if op.name in _EXPERTS:
        return _of_experts(op, plan, load.n_tokens, architecture)
    n_tokens = load.n_logits if op.name == "logits" else load.n_tokens
    found = 0
    for role, rows in _matrices(op, plan):
        shape = shape_for(n_tokens, plan.tensor(op.weights[role], op.device).format, architecture)
        found += _pieces(rows, shape.rows) * _pieces(n_tokens, shape.tokens)
    return found


def _matrices(op: Op, plan: Plan) -> Iterator[tuple[str, int]]:
    """Role and rows of every matrix. Q, K and V are matrices of their own in a launch, whatever holds them."""
    if op.name == "qkv":
        n = {key: int(op.params[key]) for key in ("n_head", "n_head_kv", "head_dim", "head_dim_v")}
        rows = {
            "q": n["n_head"] * n["head_dim"],
            "k": n["n_head_kv"] * n["head_dim"],
            "v": n["n_head_kv"] * n["head_dim_v"],
        }
        yield from ((role, rows[letter]) for role in _QKV if role in op.weights for letter in role)
        return
    for role, name in op.weights.items():
        shape = plan.tensor(name, op.device).shape
        if len(shape) == 2 and not role.endswith("_bias"):
            yield role, shape[0]


def _of_experts(op: Op, plan: Plan, n_tokens: int, architecture: int) -> float:
    n_expert, top_k = int(op.params["n_expert"]), int(op.params["top_k"])
    stacks = [plan.tensor(name, op.device) for role, name in op.weights.items() if not role.endswith("_bias")]
    shape = shape_for_experts(n_tokens, n_tokens * top_k, n_expert, stacks[0].format, architecture)
    rows = _rows_together([stack.shape[-2] for stack in stacks], shape, fused=bool(op.params.get("fused")))
    return sum(_pieces(each, shape.rows) for each in rows) * _token_tiles(shape, n_expert, top_k, n_tokens)


def _rows_together(rows: list[int], shape: Shape, *, fused: bool) -> list[int]:
    """Rows that are cut as one matrix. Fused, gate and up share the tiles of tensor cores alone, merged or not."""
    if not fused:
        return rows
    both = sum(rows)
    return [both] if shape.is_mma else [both // 2, both // 2]


def _token_tiles(shape: Shape, n_expert: int, top_k: int, n_tokens: int) -> float:
    """Over all experts."""
    if shape.tokens == 1:
        return n_tokens * top_k
    return n_expert * expected_token_tiles(n_expert, top_k, n_tokens, shape.tokens)


def _pieces(whole: int, piece: int) -> int:
    return -(-whole // piece)
