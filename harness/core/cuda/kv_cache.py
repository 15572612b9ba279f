"""Keys and values in device memory, as f16 or as q8_0; kernels/kv_cache.cuh says how they lie."""

from dataclasses import dataclass
from typing import Self

from harness.core.cuda.api import Address, Argument, Device
from harness.core.options import KvType, Options
from harness.core.program.op import KvSlot

BLOCK = 32
"""Numbers of a head that share a scale in q8_0."""


@dataclass(frozen=True)
class KvSide:
    """Keys or values of one layer: numbers [n_ctx, n_head_kv, d] and, for q8_0, a scale for every 32 of them."""

    numbers: Address
    scales: Address | None

    @classmethod
    def allocate(cls, device: Device, kind: KvType, n: int) -> Self:
        """Room for `n` numbers. Errors: OutOfMemoryError."""
        what = "the KV cache"
        if kind == "f16":
            return cls(Address(device.allocate(2 * n, what)), None)
        return cls(Address(device.allocate(n, what)), Address(device.allocate(n // BLOCK * 2, what)))

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """What attention's kernels take."""
        return self.numbers, self.scales


@dataclass(frozen=True)
class KvBuffers:
    """One layer's."""

    keys: KvSide
    values: KvSide

    @property
    def is_quantized(self) -> bool:
        """Whether a side of it is q8_0."""
        return self.keys.scales is not None or self.values.scales is not None

    @classmethod
    def allocate(cls, device: Device, slot: KvSlot, options: Options) -> Self:
        """Room for `options.n_ctx` positions. Errors: OutOfMemoryError."""
        heads = options.n_ctx * slot.n_head_kv
        return cls(
            KvSide.allocate(device, options.type_k, heads * slot.head_dim),
            KvSide.allocate(device, options.type_v, heads * slot.head_dim_v),
        )
