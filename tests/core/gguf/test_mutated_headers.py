"""Headers with bytes changed, moved, cut out or cut off: whatever comes, only errors of ours, and in bounded memory."""

import os
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf_bytes import ALIGNMENT, ARRAY, F32, STRING, U8, U32, array, gguf, pair, tensor, text, u32, u64

from harness.core.errors import CoreError, GgufError
from harness.core.gguf import open_gguf

N_MUTANTS = 50_000
TRUNCATED_HEADER_BYTES = 4096
EXTREMES = [0, 1, 2, 31, 33, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def small_model() -> bytes:
    """Every kind of field once, and data behind."""
    pairs = [
        pair("general.architecture", STRING, text("llama")),
        pair(ALIGNMENT, U32, u32(32)),
        pair("split.count", U32, u32(1)),
        array("tokenizer.ggml.tokens", STRING, text("a") + text("bc") + text(""), 3),
        array("tokenizer.ggml.scores", F32, bytes(12), 3),
        pair("b", 7, b"\1"),
    ]
    tensors = [tensor("token_embd.weight", (32, 2), 8), tensor("output_norm.weight", (8,), offset=96)]
    return gguf(pairs, tensors, bytes(128))


def large_model(n_bytes: int) -> bytes:
    """A header of exactly `n_bytes` bytes, then data."""
    tensors = [tensor(f"blk.{i}.attn_norm.weight", (8,), offset=32 * i) for i in range(40)]
    filler = n_bytes - len(gguf([pair("filler", STRING, text(""))], tensors, alignment=1))
    return gguf([pair("filler", STRING, text("x" * filler))], tensors, bytes(32 * 40), alignment=1)


def mutate(rng: random.Random, content: bytes) -> bytes:
    """One to four changes of the kinds that broke other readers."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(changed))
        kind = rng.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.randrange(256)
        elif kind == 2:
            changed[at : at + 8] = u64(rng.choice(EXTREMES))
        elif kind == 3:
            changed[at : at + 4] = u32(rng.choice((0, 1, ARRAY, STRING, U8, 13, 39, 2**32 - 1)))
        elif kind == 4:
            del changed[at : at + rng.randrange(1, 40)]
        elif kind == 5:
            start = rng.randrange(len(changed))
            changed[at:at] = changed[start : start + rng.randrange(1, 60)]
        else:
            del changed[at:]
        if not changed:
            break
    return bytes(changed)


@pytest.fixture
def memory_file() -> Iterator[int]:
    descriptor = os.memfd_create("gguf")
    yield descriptor
    os.close(descriptor)


def refill(descriptor: int, content: bytes) -> Path:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)
    return Path(f"/proc/self/fd/{descriptor}")


def test_fifty_thousand_mutants_raise_our_errors_only(memory_file: int) -> None:
    bases = [small_model(), large_model(600 + 40 * 70)]
    refused = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(N_MUTANTS):
        rng = random.Random(seed)
        path = refill(memory_file, mutate(rng, bases[seed % 20 == 0]))
        try:
            file = open_gguf(path)
        except CoreError:
            refused += 1
        else:
            for name in file.tensors:
                file.read(name)
            file.close()
    assert 0.5 * N_MUTANTS < refused < N_MUTANTS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_header_cut_off_at_any_byte_is_refused(memory_file: int) -> None:
    content = large_model(TRUNCATED_HEADER_BYTES)
    open_gguf(refill(memory_file, content)).close()
    for n_bytes in range(TRUNCATED_HEADER_BYTES):
        path = refill(memory_file, content[:n_bytes])
        with pytest.raises(GgufError, match=r"ends within|are left"):
            open_gguf(path)


def test_data_cut_off_at_any_byte_is_refused(memory_file: int) -> None:
    content = small_model()
    for n_bytes in range(len(content)):
        with pytest.raises(GgufError):
            open_gguf(refill(memory_file, content[:n_bytes]))
