"""What a card can do at most, measured on it now: bytes that a copy moves, int8 products that its tensor cores make."""

import numpy as np

from harness.core.cuda.api import Address, Device, KernelName, Launch
from harness.core.cuda.device import CudaDevice

COPIED_BYTES = 512 << 20
BLOCKS_PER_MULTIPROCESSOR = 4
THREADS = 256
ROUNDS = 20_000
MACS_PER_ROUND = 8 * 16 * 8 * 32
"""Of one warp, see kernels/rates.cu."""
ONES = 0x01010101


def copy_bytes_per_s(device: CudaDevice) -> float:
    """Read and written by a copy within the card. Errors: DeviceError, OutOfMemoryError."""
    one, other = (Address(device.allocate(COPIED_BYTES, "the bandwidth probe")) for _ in range(2))
    return 2e9 * COPIED_BYTES / device.time_ns(lambda: device.copy(one, other, COPIED_BYTES))


def int8_macs_per_s(device: CudaDevice) -> float:
    """int8 multiply-adds of `mma.sync` from registers, on every multiprocessor. Errors: DeviceError."""
    launch = products(device, BLOCKS_PER_MULTIPROCESSOR * device.properties.n_multiprocessors, ROUNDS)
    device.prepare([launch.kernel])
    macs = launch.grid[0] * THREADS // 32 * ROUNDS * MACS_PER_ROUND
    return 1e9 * macs / device.time_ns(lambda: device.launch(launch))


def products(device: Device, n_blocks: int, n_rounds: int) -> Launch:
    """The launch that multiplies ones with ones; its last argument takes the sums, int32 [n_blocks * THREADS]."""
    x = Address(device.allocate(4, "the rate probe"))
    y = Address(device.allocate(4 * n_blocks * THREADS, "the rate probe"))
    device.upload(x, np.array([ONES], np.uint32))
    return Launch(KernelName("rates", "multiply_registers"), (n_blocks, 1, 1), THREADS, (x, np.int32(n_rounds), y))
