"""Which kernel multiplies how many tokens: the tile a block of threads makes, in one table.

Every shape gives the same bits, so the limits are a matter of speed alone. They are guesses, since no card has been at
hand to measure where one shape overtakes another, and therefore the same for every architecture.
"""

from dataclasses import dataclass

THREADS = 256
"""Of a block, in every shape."""
SMALLEST_TILE = 8
"""Tokens of the smallest tile of several."""


@dataclass(frozen=True)
class Shape:
    """`tokens` and `rows` of a block's tile; `suffix` ends the names of its kernels' entries."""

    suffix: str
    tokens: int
    rows: int

    @property
    def is_mma(self) -> bool:
        """Whether it multiplies on tensor cores (kernels/tile_mma.cuh) or not (kernels/dot.cuh)."""
        return "mma" in self.suffix

    def source(self, name: str) -> str:
        """The kernels' source: tensor cores have one for each shape."""
        return f"{name}{self.suffix}" if self.is_mma else name

    def grid(self, n_rows: int, n_tiles: int) -> tuple[int, int, int]:
        """Blocks for so many rows and tiles of tokens. On tensor cores those that share rows run side by side."""
        rows = -(-n_rows // self.rows)
        return (n_tiles, rows, 1) if self.is_mma else (rows, n_tiles, 1)


ONE, EIGHT = Shape("", 1, 32), Shape("_8", SMALLEST_TILE, 32)
MMA_16, MMA_64 = Shape("_mma_16", 16, 128), Shape("_mma_64", 64, 128)
MMA_SHAPES = (MMA_16, MMA_64)

FEW = 4
"""Tokens that are multiplied one by one, whatever comes of reading weights again: from the cache, if not by chance."""
QUANTIZED, PLAIN = {FEW: ONE, 16: MMA_16}, {1: ONE}
"""The shape for at most so many tokens, by how weights are held; for more, the last of each is not enough."""


def shape_for(n_tokens: int, *, quantized: bool) -> Shape:
    """The shape for a matrix that meets `n_tokens` rows of activations."""
    limits, beyond = (QUANTIZED, MMA_64) if quantized else (PLAIN, EIGHT)
    return next((shape for most, shape in limits.items() if n_tokens <= most), beyond)


def shape_for_experts(n_tokens: int, n_slots: int, n_expert: int, *, quantized: bool) -> Shape:
    """As `shape_for`, for experts that share the slots. How many each gets is known on the device: this is by average.

    Slots of few tokens are mostly of different experts, so there is nothing to read twice.
    """
    if n_tokens <= FEW:
        return ONE
    return shape_for(max(n_slots // n_expert, FEW + 1), quantized=quantized)
