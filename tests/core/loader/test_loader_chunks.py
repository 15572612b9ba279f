"""Chunks cover a tensor's rows once, and their fragments every byte once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.core.loader.chunks import Chunk, RowFinder, cut
from harness.core.plan.types import Piece, StoredTensor


@st.composite
def tensors(draw: st.DrawFn) -> StoredTensor:
    """A tensor of any rows, filled from pieces of any sizes that need not end where rows end."""
    row_bytes, n_rows = draw(st.integers(1, 40)), draw(st.integers(1, 60))
    n_bytes = row_bytes * n_rows
    ends = sorted({*draw(st.lists(st.integers(1, n_bytes), max_size=8)), n_bytes})
    pieces, start = [], 0
    for end in ends:
        where = draw(st.integers(0, 10_000))
        pieces.append(Piece("t", draw(st.integers(0, 2)), where, end - start, start))
        start = end
    return StoredTensor("t", "reference", "F32", (n_rows, row_bytes // 4), row_bytes, "rows", tuple(pieces))


FILES = [np.random.default_rng(shard).integers(0, 256, 20_000, np.uint8) for shard in range(3)]


def filled(chunk: Chunk) -> NDArray[np.uint8]:
    """The chunk's rows, every byte from where its fragments say."""
    buffer = np.zeros(chunk.n_bytes, np.uint8)
    for part in chunk.fragments:
        target = buffer[part.chunk_offset : part.chunk_offset + part.n_bytes]
        target[:] = FILES[part.shard][part.file_offset : part.file_offset + part.n_bytes]
    assert sum(part.n_bytes for part in chunk.fragments) == chunk.n_bytes
    return buffer.reshape(chunk.n_rows, chunk.tensor.row_bytes)


@given(tensor=tensors(), chunk_bytes=st.integers(1, 3000))
def test_a_tensor_read_in_chunks_is_the_tensor_read_in_pieces(tensor: StoredTensor, chunk_bytes: int) -> None:
    expected = np.concatenate([FILES[p.shard][p.file_offset : p.file_offset + p.n_bytes] for p in tensor.pieces])
    rows = []
    for chunk in cut(tensor, chunk_bytes):
        assert chunk.first_row == sum(map(len, rows))
        rows.append(filled(chunk))
    np.testing.assert_array_equal(np.concatenate(rows).reshape(-1), expected)


@given(tensor=tensors(), chunk_bytes=st.integers(1, 3000))
def test_a_chunk_fits_the_buffer_unless_one_row_does_not(tensor: StoredTensor, chunk_bytes: int) -> None:
    for chunk in cut(tensor, chunk_bytes):
        assert chunk.n_bytes <= chunk_bytes or chunk.n_rows == 1


@pytest.mark.parametrize("rows", [100, 128, 333])
def test_large_experts_are_cut_in_the_same_places_merged_or_not(rows: int) -> None:
    n_expert, row_bytes = 3, 8
    size = rows * row_bytes

    def stored(n_rows: int, pieces: list[Piece]) -> StoredTensor:
        return StoredTensor("t", "reference", "F32", (n_expert, n_rows, 2), row_bytes, "rows", tuple(pieces))

    apart = [stored(rows, [Piece(name, 0, start, n_expert * size, 0)]) for name, start in (("gate", 0), ("up", 5000))]
    halves = [(half, e) for e in range(n_expert) for half in (0, 1)]
    merged = [stored(2 * rows, [Piece("t", 0, 5000 * h + e * size, size, (2 * e + h) * size) for h, e in halves])]
    places = [
        sorted((f.file_offset, f.n_bytes) for tensor in way for c in cut(tensor, 64 * row_bytes) for f in c.fragments)
        for way in (apart, merged)
    ]
    assert places[0] == places[1]
    assert len(places[0]) >= 2 * n_expert * 2


@given(tensor=tensors(), data=st.data())
def test_any_rows_are_found_as_a_read_of_all_has_them(tensor: StoredTensor, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, tensor.n_rows - 1))
    count = data.draw(st.integers(1, tensor.n_rows - first))
    whole = np.concatenate([filled(chunk) for chunk in cut(tensor, 1)])
    np.testing.assert_array_equal(filled(RowFinder(tensor).chunk(first, count)), whole[first : first + count])
