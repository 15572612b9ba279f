"""Rows that need no re-laying are read straight to where they stay: never twice on the host."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.cpu.backend import CpuBackend
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import StoredTensor, make_plan
from harness.core.reference import ReferenceBackend


class Counting:
    """A backend of which it is known what was placed, and what was read in place."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.placed: set[str] = set()
        self.in_place: dict[str, NDArray[np.uint8]] = {}

    def allocate(self, tensor: StoredTensor) -> None:
        self.backend.allocate(tensor)

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        self.placed.add(tensor.name)
        self.backend.place(tensor, first_row, rows)

    def rows_in_place(self, tensor: StoredTensor) -> NDArray[np.uint8] | None:
        rows: NDArray[np.uint8] | None = self.backend.rows_in_place(tensor)
        if rows is not None:
            self.in_place[tensor.name] = rows
        return rows


@pytest.mark.parametrize("device", ["reference", "cpu:0"])
def test_rows_that_stay_as_they_are_hold_the_files_bytes_and_were_placed_by_nobody(made: Any, device: str) -> None:
    options = Options(devices=(device,), merge_up_gate=True)
    counting: Any = Counting(ReferenceBackend(device) if device == "reference" else CpuBackend(options))
    path: Path = made("tiny-gpt-oss")
    with open_gguf(path) as file:
        plan = make_plan(read_model(file), options)
        load_weights(plan, file, counting)
    whole = np.fromfile(path, np.uint8)
    rows = [tensor for tensor in plan.tensors if tensor.layout == "rows"]
    assert {tensor.name for tensor in rows} == set(counting.in_place)
    assert {tensor.name for tensor in plan.tensors} - set(counting.in_place) == counting.placed
    for tensor in rows:
        bytes_of_file = [whole[piece.file_offset : piece.file_offset + piece.n_bytes] for piece in tensor.pieces]
        np.testing.assert_array_equal(counting.in_place[tensor.name].reshape(-1), np.concatenate(bytes_of_file))


def test_packed_rows_have_no_place_of_their_own(made: Any) -> None:
    options = Options()
    backend = CpuBackend(options)
    with open_gguf(made("tiny-gpt-oss")) as file:
        plan = make_plan(read_model(file), options)
        packed = next(tensor for tensor in plan.tensors if tensor.layout == "packed")
        backend.allocate(packed)
        assert backend.rows_in_place(packed) is None
        with pytest.raises(ValueError, match="packed"):
            backend._matrices[packed.name, packed.device].rows_in_place()
