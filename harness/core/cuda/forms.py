"""In which forms values are wanted between the operations of one program: floats, int8 codes with scales, or both.

Who makes a value leaves what its readers take, so that nothing is quantised in a launch of its own. An operation that
runs by itself leaves floats and quantises what it reads: the same codes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from harness.core.cuda.weights import DeviceTensor
from harness.core.program.op import Op

MULTIPLIED: Mapping[str, tuple[str, ...]] = {
    "qkv": ("q", "k", "v", "qk", "qkv"),
    "attn_out": ("o",),
    "route": ("router",),
    "moe_up_gate": ("gate", "up", "gate_up"),
    "moe_down": ("down",),
    "ffn": ("gate", "up", "gate_up"),
    "ffn_up_gate": ("gate", "up", "gate_up"),
}
"""Weights that meet an operation's first input. Rows of logits are picked first, so they are quantised there."""


class Forms(NamedTuple):
    """What is read of a value."""

    floats: bool
    codes: bool


FLOATS = Forms(floats=True, codes=False)


def wanted(
    ops: Sequence[Op], handed_out: Collection[str], weights: Mapping[tuple[str, str], DeviceTensor]
) -> Mapping[str, Forms]:
    """Forms of values that are left as codes, or also as codes; those `handed_out` leave the device, as floats."""
    floats, codes = set(handed_out), set[str]()
    for op in ops:
        roles = [role for role in MULTIPLIED.get(op.name, ()) if role in op.weights]
        of_weights = {weights[op.weights[role], op.device].is_quantized for role in roles}
        floats.update(op.inputs if of_weights != {True} else op.inputs[1:])
        codes.update(op.inputs[:1] if True in of_weights else ())
    forms = {name: (op, Forms(name in floats, name in codes)) for op in ops for name in op.outputs}
    return {name: form for name, (op, form) in forms.items() if form.codes and _leaves(op, form, weights)}


def _leaves(op: Op, form: Forms, weights: Mapping[tuple[str, str], DeviceTensor]) -> bool:
    """Whether an operation's kernels make these forms: norms even both, others one or the other, of whole blocks."""
    if op.name == "rms_norm":
        return True
    if form.floats:
        return False
    if op.name == "moe_up_gate" and op.params["fused"]:
        return weights[op.weights.get("gate", op.weights.get("gate_up", "")), op.device].is_quantized
    return op.name == "attention" and int(op.params["head_dim_v"]) % 32 == 0
