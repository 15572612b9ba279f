"""KV cache and workspace of one stream of tokens on a CUDA device.

Prefill enqueues its launches; decoding replays a graph, captured once per KV bucket (a power of two of chunks). Tokens
and position are in device memory, so nothing in a captured launch is out of date at the next token.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.cuda import attention, dense, experts, forms
from harness.core.cuda.api import Address, Device, Graph, Launch
from harness.core.cuda.kv_cache import KvBuffers
from harness.core.cuda.launches import Extent, Launches, RopeBuffers, Standing
from harness.core.cuda.rooms import Rooms
from harness.core.cuda.weights import DeviceTensor
from harness.core.errors import UnsupportedError
from harness.core.options import Options
from harness.core.program.op import OF_THE_HOST, Op, Program

OPS: Mapping[str, Callable[[Launches, Op], None]] = {
    "embed": dense.embed,
    "rms_norm": dense.rms_norm,
    "qkv": attention.qkv,
    "attention": attention.attention,
    "attn_out": attention.attn_out,
    "route": experts.route,
    "moe_up_gate": experts.moe_up_gate,
    "moe_down": experts.moe_down,
    "ffn": dense.ffn,
    "logits": dense.logits,
    "ffn_up_gate": dense.ffn_up_gate,
}


class CudaContext:
    """See `harness.core.backend.Context`. `standing` and `rooms`: where the device keeps what runs read and write.

    `wanted`: values that runs of the whole program leave quantised, or also quantised. `narrowed`: see `Rooms.narrow`.
    """

    def __init__(
        self,
        device: Device,
        program: Program,
        options: Options,
        weights: Mapping[tuple[str, str], DeviceTensor],
        narrowed: Collection[str] = (),
    ) -> None:
        unknown = sorted({op.name for op in program.ops} - OPS.keys() - OF_THE_HOST)
        if unknown:
            raise UnsupportedError(f"operations {', '.join(unknown)} have no CUDA kernels")
        self._device = device
        self._program = program
        self._weights = weights
        self.wanted = forms.wanted(program.ops, (), weights)
        self._n_ctx = options.n_ctx
        self._counts_shape = _counts_shape(program)
        self.standing = _standing(device, program, options, self._counts_shape)
        self.rooms = Rooms(device, program, options.ubatch, narrowed)
        self._graphs: dict[tuple[int, int], Graph] = {}
        self._allocate_all(options.ubatch)

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> NDArray[np.float32] | None:
        """See `harness.core.backend.Context`."""
        extent = self.enter(tokens, position, logits_of)
        if len(tokens) == 1:
            self._graph(extent).launch()
        else:
            for launch in self._launches(extent):
                self._device.launch(launch)
        return self._leave(extent.n_logits)

    def run_profiled(
        self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
        """As `run`, and nanoseconds of every operation of the program, [n_ops]: each is a graph of its own.

        Errors: DeviceError on an emulated device, whose time means nothing.
        """
        extent = self.enter(tokens, position, logits_of)
        times = self._device.time_each([self._device.capture(own) for own in self.launches_by_op(extent)])
        return self._leave(extent.n_logits), np.array(times, np.int64)

    def enter(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> Extent:
        """Tokens and position to the device; the extent of their run."""
        self._device.upload(self.standing.tokens, tokens.astype(np.int32))
        self._device.upload(self.standing.position, np.array([position], np.int32))
        n_logits = {"none": 0, "last": 1, "all": len(tokens)}[logits_of]
        return Extent(len(tokens), self.bucket(position + len(tokens)), n_logits)

    def _leave(self, n_logits: int) -> NDArray[np.float32] | None:
        """Logits from the device, which has then finished."""
        if n_logits == 0:
            self._device.synchronize()
            return None
        n_bytes = n_logits * self._program.n_vocab * 4
        logits = self._device.download(dense.logits_room(self.rooms, n_logits, n_bytes), n_bytes)
        return logits.view(np.float32).reshape(n_logits, self._program.n_vocab)

    def expert_counts(self) -> NDArray[np.int64]:
        """See `harness.core.backend.Context`."""
        n_layer, n_expert = self._counts_shape
        counts = self._device.download(self.standing.counts, n_layer * n_expert * 4)
        return counts.view(np.int32).reshape(n_layer, n_expert).astype(np.int64)

    def close(self) -> None:
        """Buffers go with the last reference to them."""
        self._graphs = {}

    def bucket(self, n_positions: int) -> int:
        """KV chunks of the smallest power of two that holds so many positions."""
        n_chunks = -(-n_positions // attention.CHUNK)
        return min(1 << (n_chunks - 1).bit_length(), -(-self._n_ctx // attention.CHUNK))

    def begin(self, extent: Extent) -> Launches:
        """No launches yet, of a run of that extent."""
        architecture = self._device.properties.compute_capability
        return Launches(self._weights, self.rooms, self.standing, extent, architecture)

    def launches_by_op(self, extent: Extent) -> list[list[Launch]]:
        """The launches of a run of that extent, for each operation of the program."""
        launches = self.begin(extent)
        launches.wanted = self.wanted
        return [launches.of(OPS[op.name], op) for op in self._program.ops]

    def _launches(self, extent: Extent) -> list[Launch]:
        return [launch for own in self.launches_by_op(extent) for launch in own]

    def _graph(self, extent: Extent) -> Graph:
        key = (extent.n_chunks, extent.n_logits)
        if key not in self._graphs:
            self._graphs[key] = self._device.capture(self._launches(extent))
        return self._graphs[key]

    def _allocate_all(self, ubatch: int) -> None:
        """Emit runs of every kind once, for the memory and the kernels they ask for; nothing is launched."""
        n_chunks = self.bucket(self._n_ctx)
        sizes = sorted({1 << power for power in range(ubatch.bit_length())} | {ubatch}, reverse=True)
        emitted = (launch for n in sizes for launch in self._launches(Extent(n, n_chunks, 1)))
        self._device.prepare(sorted({launch.kernel for launch in emitted}, key=str))


def _standing(device: Device, program: Program, options: Options, counts_shape: tuple[int, int]) -> Standing:
    tokens = Address(device.allocate(options.ubatch * 4, "tokens"))
    position = Address(device.allocate(4, "position"))
    kv = tuple(KvBuffers.allocate(device, slot, options) for slot in program.kv_slots)
    rope = tuple(_rope_buffers(device, *table.cos_sin(options.n_ctx)) for table in program.rope_tables)
    counts = np.zeros(counts_shape, np.int32)
    return Standing(tokens, position, kv, rope, _uploaded(device, counts, "expert counts"), counts_shape[1])


def _rope_buffers(device: Device, cosines: NDArray[np.float32], sines: NDArray[np.float32]) -> RopeBuffers:
    what = "the RoPE table"
    return RopeBuffers(_uploaded(device, cosines, what), _uploaded(device, sines, what), cosines.shape[1])


def _uploaded(device: Device, data: NDArray[np.generic], what: str) -> Address:
    address = Address(device.allocate(max(data.nbytes, 4), what))
    if data.nbytes:
        device.upload(address, data)
    return address


def _counts_shape(program: Program) -> tuple[int, int]:
    n_layer = 1 + max((op.layer for op in program.ops), default=-1)
    n_expert = max((int(op.params["n_expert"]) for op in program.ops if op.name == "route"), default=0)
    return n_layer, n_expert
