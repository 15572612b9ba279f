"""The built-in core as an engine. What is timed is the session's call, from entry to the device's synchronised end."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

import harness
from harness.core.cuda.tiling import op_tiles
from harness.core.options import ExpertCopy, KvType, Layout, MoePath, Options, SplitMode, WireType
from harness.core.plan import Plan
from harness.core.plan.lending import room_bytes
from harness.core.plan.show import loan_lines
from harness.core.program.costs import NOTHING, Load, op_costs, program_cost, row_cost
from harness.core.session import Session
from harness.engines.stream import context_tokens, token_stream
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case
from harness.records.profile import OpTime
from harness.records.timing import LoadReport, Timing

CONTEXT_STEP = 256


def options_from_axes(axes: Axes, n_ctx: int) -> Options:
    """The core's options at a point of the matrix. One device has nothing to split. Errors: EngineError."""
    devices = tuple(name.strip() for name in axes.device.split(","))
    return Options(
        devices=devices,
        split_mode=cast("SplitMode", axes.split_mode) if len(devices) > 1 else "none",
        tensor_split=axes.tensor_split,
        main_gpu=axes.main_gpu,
        override_tensor=tuple(_override(text) for text in axes.override_tensor),
        cpu_moe=axes.cpu_moe,
        n_cpu_moe=axes.n_cpu_moe,
        n_cpu_moe_from=cast("Literal['first', 'last']", axes.n_cpu_moe_from),
        expert_copy=cast("ExpertCopy", int(axes.expert_copy) if axes.expert_copy.isdecimal() else axes.expert_copy),
        reduce_type=cast("WireType", axes.reduce_type),
        merge_up_gate=axes.merge_up_gate,
        merge_qkv=axes.merge_qkv,
        merge_up_gate_shared=axes.merge_up_gate_shared,
        fused_moe=axes.fused_moe,
        moe_path=cast("MoePath", axes.moe_path),
        layout=cast("Layout", axes.layout),
        type_k=cast("KvType", axes.type_k),
        type_v=cast("KvType", axes.type_v),
        flash_attn=axes.flash_attn,
        threads=axes.threads,
        ubatch=axes.ubatch,
        n_ctx=n_ctx,
        layers=axes.layers,
    )


class CoreEngine:
    """Satisfies `Engine`, `FillsAhead`, `KnowsCosts` and `TimesOps`."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._stream: NDArray[np.int32] = np.zeros(0, np.int32)
        self._known = 0

    def load(self, case: Case) -> LoadReport:
        """Open the model with a context as long as the test needs. Errors: CoreError, EngineError."""
        if case.model.path is None:
            raise EngineError(f"{case.model.label} has no file. Its config must name one, or how to make it.")
        n_ctx = -(-context_tokens(case.test) // CONTEXT_STEP) * CONTEXT_STEP
        options = options_from_axes(_without_cut(case), n_ctx)
        self._session = session = Session.open(case.model.path, options)
        self._stream = token_stream(case, session.model.n_vocab, n_ctx)
        self._known = 0
        return LoadReport(
            phase_ns=session.phase_ns,
            model_type=f"{session.model.arch} {_main_format(session.plan)}",
            model_size=session.plan.model_size_bytes,
            model_n_params=session.plan.n_params,
            n_layers=len(session.plan.layer_devices),
            n_vocab=session.model.n_vocab,
            plan=plan_summary(session),
            devices=options.devices,
            engine_version=f"core {harness.__version__}",
        )

    def fill(self, depth: int) -> None:
        """Rewind to `depth`, or fill up to it with the case's stream."""
        session = self._here()
        session.rewind(min(depth, self._known, session.position))
        if session.position < depth:
            session.prefill(self._stream[session.position : depth], "none")
        self._known = depth

    def prefill(self, tokens: Sequence[int], depth: int) -> Timing:
        """The prompt in ubatches, with the logits of its last token."""
        self.fill(depth)
        session, ids = self._here(), np.asarray(tokens, np.int32)
        begin_ns = time.perf_counter_ns()
        session.prefill(ids, "last")
        total_ns = time.perf_counter_ns() - begin_ns
        self._learn(ids, depth)
        return Timing(len(ids), total_ns)

    def decode(self, tokens: Sequence[int], depth: int) -> Timing:
        """One token after the other, each with its logits."""
        self.fill(depth)
        session = self._here()
        marks = [time.perf_counter_ns()]
        for token in tokens:
            session.decode(token)
            marks.append(time.perf_counter_ns())
        self._learn(np.asarray(tokens, np.int32), depth)
        return Timing(len(tokens), marks[-1] - marks[0], tuple(np.diff(marks).tolist()))

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Of every position, from an empty cache."""
        logits = self._here().logits(tokens)
        self._learn(np.asarray(tokens, np.int32), 0)
        return logits

    def expert_counts(self) -> tuple[tuple[int, ...], ...]:
        """Of everything since the load."""
        counts = self._here().expert_counts()
        return tuple(tuple(layer) for layer in counts.tolist()) if counts.size else ()

    def cost(self, n_prompt: int, n_gen: int, depth: int) -> tuple[int, int]:
        """Per token: multiply-accumulates, and bytes of weights and KV cache."""
        session = self._here()
        cost = row_cost(session.program, session.plan, n_prompt, n_gen, depth)
        n_tokens = n_prompt + n_gen
        return round(cost.macs / n_tokens), round((cost.weight_bytes + cost.kv_bytes) / n_tokens)

    def op_times(self, n_prompt: int, n_gen: int, depth: int) -> tuple[OpTime, ...]:
        """Every operation over the row's ubatches, then its single tokens. Errors: SessionError."""
        self.fill(depth)
        session, end = self._here(), depth + n_prompt
        ubatch = session.plan.options.ubatch
        steps = [(start, min(start + ubatch, end)) for start in range(depth, end, ubatch)]
        steps += [(position, position + 1) for position in range(end, end + n_gen)]
        op_ns = np.zeros(len(session.program.ops), np.int64)
        costs, tiles = [NOTHING] * len(op_ns), np.zeros(len(op_ns))
        for start, stop in steps:
            wanted = stop >= end  # a prompt asks for its last logits only, as `prefill` does
            op_ns += session.op_times(self._stream[start:stop], "last" if wanted else "none")
            load = Load(stop - start, start, int(wanted))
            found = op_costs(session.program, session.plan, load)
            tiles += op_tiles(session.program, session.plan, load, session.architecture)
            costs = [cost + more for cost, more in zip(costs, found, strict=True)]
        self._known = session.position
        return tuple(
            OpTime(
                name=op.name,
                layer=op.layer,
                calls=len(steps),
                ns=int(ns),
                macs=cost.macs,
                bytes=cost.weight_bytes + cost.kv_bytes,
                activation_bytes=cost.activation_bytes,
                launches=cost.launches,
                tiles=float(n_tiles),
            )
            for op, ns, cost, n_tiles in zip(session.program.ops, op_ns, costs, tiles, strict=True)
        )

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def _learn(self, tokens: NDArray[np.int32], depth: int) -> None:
        """How far the cache holds the case's own stream after `tokens` entered at `depth`."""
        same = np.array_equal(tokens, self._stream[depth : depth + len(tokens)])
        self._known = depth + (len(tokens) if same else 0)

    def _here(self) -> Session:
        if self._session is None:
            raise EngineError("core: nothing is loaded.")
        return self._session


def plan_summary(session: Session) -> Mapping[str, object]:
    """What a record keeps of the plan: merges done and refused with reasons, bytes by device, work of one token."""
    plan = session.plan
    merges = [
        {"kind": kind, "done": done, "reason": reason, "layers": layers}
        for (kind, done, reason), layers in _merges(plan).items()
    ]
    token = program_cost(session.program, plan, Load())
    stored: Counter[str] = Counter()
    for tensor in plan.tensors:
        stored[tensor.device] += tensor.n_bytes
    return {
        "merges": merges,
        "layouts": sorted({tensor.layout for tensor in plan.tensors}),
        "stored_bytes": dict(stored),
        "layer_devices": [list(devices) for devices in plan.layer_devices],
        "macs_per_token": round(token.macs),
        "bytes_per_token": round(token.weight_bytes),
        "launches_per_token": token.launches,
        "n_ctx": plan.options.n_ctx,
        **_expert_copies(plan),
    }


def _expert_copies(plan: Plan) -> Mapping[str, object]:
    """From how many tokens on experts were copied (0: never) in which layers; nothing where it was not asked for."""
    if not plan.loans:
        return {}
    done = [loan.layer for loan in plan.loans if loan.done and plan.lends_from]
    how = {"from_tokens": plan.lends_from, "measured": plan.lends_measured, "layers": done}
    return {"expert_copy": {**how, "room_bytes": dict(room_bytes(plan.borrowed)), "text": loan_lines(plan)}}


def _merges(plan: Plan) -> dict[tuple[str, bool, str], list[int]]:
    found: dict[tuple[str, bool, str], list[int]] = {}
    for merge in plan.merges:
        found.setdefault((merge.kind, merge.done, merge.reason), []).append(merge.layer)
    return found


def _main_format(plan: Plan) -> str:
    """The block format that holds most bytes."""
    n_bytes: Counter[str] = Counter()
    for tensor in plan.tensors:
        n_bytes[tensor.format] += tensor.n_bytes
    return n_bytes.most_common(1)[0][0]


def _without_cut(case: Case) -> Axes:
    """A made file has been cut already."""
    return replace(case.axes, layers=None) if case.model.stand_in is not None else case.axes


def _override(text: str) -> tuple[str, str]:
    pattern, equals, device = text.rpartition("=")
    if not equals or not pattern or not device:
        raise EngineError(f"override_tensor {text!r}: expected PATTERN=DEVICE.")
    return pattern, device
