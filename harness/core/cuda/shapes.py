"""Which kernel multiplies how many tokens: the tile a block of threads makes, in one table by architecture.

Every shape gives the same bits, so the table is a matter of speed alone. What it follows from, as no card has been at
hand to measure where one shape overtakes another:

* Weights are read, and decoded, once for each tile of tokens, so a tile should hold all tokens that share them: of the
  tiles on tensor cores the smallest that does, since what is left of a tile is multiplied all the same.
* Two blocks of 256 threads share a multiprocessor from Ampere on, so that one multiplies while the other waits: that
  leaves 128 registers a thread, and half of the multiprocessor's shared memory.
* Nothing is spilled. A tile of 64 tokens keeps 32 sums a thread; with two scales a block of 32 weights, sm_80 to
  sm_90 are some registers short of 128, and get tiles of 32 tokens, 16 sums a thread.
* Up to 4 tokens the row kernels read weights again for each token: from the cache, if not by chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.formats.table import BY_NAME

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

    def grid(self, n_rows: Sequence[int], n_tiles: int) -> tuple[int, int, int]:
        """Blocks for so many rows of matrices and so many tiles. On tensor cores those that share rows lie together."""
        rows = sum(-(-own // self.rows) for own in n_rows)
        return (n_tiles, rows, 1) if self.is_mma else (rows, n_tiles, 1)


ONE, EIGHT = Shape("", 1, 32), Shape("_8", SMALLEST_TILE, 32)
MMA_16, MMA_32, MMA_64 = Shape("_mma_16", 16, 128), Shape("_mma_32", 32, 128), Shape("_mma_64", 64, 128)
MMA_SHAPES = (MMA_16, MMA_32, MMA_64)

FEW = 4
"""Tokens that are multiplied one by one."""
Shapes = Mapping[int, Shape]
"""The shape for at most so many tokens, ascending; the last is for more as well."""
_PLAIN: Shapes = {1: ONE, 8: EIGHT}
_UP_TO_32: Shapes = {FEW: ONE, 16: MMA_16, 32: MMA_32}
_UP_TO_64: Shapes = {**_UP_TO_32, 64: MMA_64}

TABLE: Mapping[int, Mapping[int, Shapes]] = {
    75: {0: _PLAIN, 32: _UP_TO_64, 16: _UP_TO_64},
    80: {0: _PLAIN, 32: _UP_TO_64, 16: _UP_TO_32},
    86: {0: _PLAIN, 32: _UP_TO_64, 16: _UP_TO_32},
    89: {0: _PLAIN, 32: _UP_TO_64, 16: _UP_TO_32},
    90: {0: _PLAIN, 32: _UP_TO_64, 16: _UP_TO_32},
    120: {0: _PLAIN, 32: _UP_TO_64, 16: _UP_TO_64},
}
"""By compute capability and by how many weights share a scale, 0 for plain floats."""


def shapes_of(format_name: str, architecture: int) -> Shapes:
    """A format's row of the table. A card that is not in the table takes what fits all that are."""
    group = BY_NAME[format_name].group
    if architecture in TABLE:
        return TABLE[architecture][group]
    return min((table[group] for table in TABLE.values()), key=max)


def shape_for(n_tokens: int, format_name: str, architecture: int) -> Shape:
    """The shape for a matrix that meets `n_tokens` rows of activations."""
    shapes = shapes_of(format_name, architecture)
    return next((shape for most, shape in shapes.items() if n_tokens <= most), shapes[max(shapes)])


def shape_for_experts(n_tokens: int, n_slots: int, n_expert: int, format_name: str, architecture: int) -> Shape:
    """As `shape_for`, for experts that share the slots. How many each gets is known on the device: this is by average.

    Slots of few tokens are mostly of different experts, so there is nothing to read twice.
    """
    if n_tokens <= FEW:
        return ONE
    return shape_for(max(n_slots // n_expert, FEW + 1), format_name, architecture)
