"""embed, rms_norm, ffn and logits."""

from harness.core.reference.activations import activate
from harness.core.reference.arithmetic import F32, rms_normed
from harness.core.reference.state import Step


def embed(step: Step) -> F32:
    """Rows of the table, as the format decodes them."""
    return step.weights["table"].looked_up(step.state.tokens)


def rms_norm(step: Step, x: F32) -> F32:
    return rms_normed(x, step.weights["norm"].vector(), step.number("eps"))


def ffn(step: Step, h: F32, x: F32 | None = None) -> F32:
    """Gate and up, activation, down, residual."""
    y = step.product(step.weights["down"].matrix(), ffn_up_gate(step, h))
    return y if x is None else x + y


def ffn_up_gate(step: Step, h: F32) -> F32:
    """Gate and up, activation; gate and up are multiplied one by one, merged or not."""
    n_ff = step.integer("n_ff")
    if "gate_up" in step.weights:
        gate, up = (step.weights["gate_up"].matrix(0, first, n_ff) for first in (0, n_ff))
    else:
        gate, up = step.weights["gate"].matrix(), step.weights["up"].matrix()
    return activate(step.text("activation"), step.product(gate, h), step.product(up, h))


def logits(step: Step, h: F32) -> F32:
    return step.product(step.weights["output"].matrix(), h)
