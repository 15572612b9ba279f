"""Tensors of a file, asked for by name and shape; what nobody asked for is counted too.

A tensor that does not have the shape its hyper-parameters promise is a GgufError; one that an architecture has no place
for is an UnsupportedError, because ignoring it would compute something else than the model.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import GgufError, UnsupportedError
from harness.core.gguf import GgufFile, TensorInfo
from harness.core.models.recipe import Linear, Slice, Weight


class Tensors:
    """Checked access to the tensors of one file."""

    def __init__(self, file: GgufFile) -> None:
        self._file = file
        self._used: set[str] = set()
        self._not_f32: dict[str, str] = {}

    def has(self, name: str) -> bool:
        """Whether the file holds a tensor of that name."""
        return name in self._file.tensors

    def extent(self, name: str, axis: int) -> int:
        """Length of one axis (NumPy order) of a tensor that must exist. Errors: GgufError."""
        shape = self._find(name).shape
        if axis >= len(shape):
            raise GgufError(f"tensor {name} has {len(shape)} axes, too few; the file is damaged")
        return shape[axis]

    def matrix(self, name: str, rows: int, columns: int) -> Weight:
        """The matrix `name`. Errors: GgufError when it is missing or of another shape."""
        info = self._take(name, (rows, columns))
        return Weight(name, info.format.name, 0, rows, columns, info.row_bytes, (Slice(name, 0),))

    def experts(self, name: str, n_expert: int, rows: int, columns: int) -> Weight:
        """One matrix per expert in a tensor of three axes."""
        info = self._take(name, (n_expert, rows, columns))
        slices = tuple(Slice(name, e * rows * info.row_bytes) for e in range(n_expert))
        return Weight(name, info.format.name, n_expert, rows, columns, info.row_bytes, slices)

    def vector(self, name: str, n: int, n_expert: int = 0) -> Weight:
        """A norm, bias or sinks, one per expert if `n_expert` is not 0; what is not F32 is refused with the rest."""
        info = self._take(name, (n_expert, n) if n_expert else (n,))
        if info.format.name != "F32":
            self._not_f32[name] = info.format.name
        slices = tuple(Slice(name, e * n * 4) for e in range(n_expert or 1))
        return Weight(name, "F32", n_expert, n, 0, 4, slices)

    def optional_vector(self, name: str, n: int, n_expert: int = 0) -> Weight | None:
        """As `vector`, or None where the file has no such tensor."""
        return self.vector(name, n, n_expert) if self.has(name) else None

    def linear(self, stem: str, rows: int, columns: int) -> Linear:
        """`stem`.weight [rows, columns] with `stem`.bias [rows] where there is one."""
        return Linear(self.matrix(f"{stem}.weight", rows, columns), self.optional_vector(f"{stem}.bias", rows))

    def numbers(self, name: str, n: int) -> NDArray[np.float64]:
        """The values of a small F32 vector that belongs to the recipe itself (rotary divisors)."""
        self.vector(name, n)
        if name in self._not_f32:
            return np.ones(n)  # never used: `refuse_offenders` ends this
        return self._file.read(name).reshape(-1).view(np.float32).astype(np.float64)

    def refuse_offenders(self, arch: str) -> None:
        """Errors: UnsupportedError naming every vector that is not F32, or every tensor that nobody asked for."""
        if self._not_f32:
            found = ", ".join(f"{name} ({fmt})" for name, fmt in self._not_f32.items())
            raise UnsupportedError(f"norms, biases and sinks must be F32, which these are not: {found}")
        left = [name for name in self._file.tensors if name not in self._used]
        if left:
            raise UnsupportedError(
                f"{len(left)} tensors have no place in architecture {arch} as this core knows it: {', '.join(left)}; "
                "running without them would compute another model"
            )

    def _find(self, name: str) -> TensorInfo:
        info = self._file.tensors.get(name)
        if info is None:
            raise GgufError(f"tensor {name} is missing; the file is incomplete or of another architecture")
        return info

    def _take(self, name: str, shape: tuple[int, ...]) -> TensorInfo:
        info = self._find(name)
        if _core(info.shape) != _core(shape):
            raise GgufError(
                f"tensor {name} has shape {list(info.shape)}, but the metadata calls for {list(shape)}; "
                "the file is damaged or of another architecture"
            )
        self._used.add(name)
        return info


def part(whole: Weight, name: str, first_row: int, rows: int) -> Weight:
    """Rows `first_row` … of every slice of `whole`: how a file's merged tensor is seen as what it was merged from."""
    slices = tuple(Slice(piece.tensor, piece.offset + first_row * whole.row_bytes) for piece in whole.slices)
    return replace(whole, name=name, rows=rows, slices=slices)


def joined(name: str, experts: tuple[Weight, ...]) -> Weight:
    """Matrices of single experts as one weight, without moving a byte. Errors: UnsupportedError for unequal formats."""
    formats = sorted({expert.format for expert in experts})
    if len(formats) > 1:
        raise UnsupportedError(f"the experts of {name} are in different formats: {', '.join(formats)}")
    slices = tuple(expert.slices[0] for expert in experts)
    return replace(experts[0], name=name, n_expert=len(experts), slices=slices)


def _core(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without leading ones, which some converters write and others drop."""
    n_ones = next((i for i, extent in enumerate(shape[:-1]) if extent != 1), len(shape) - 1)
    return shape[n_ones:]
