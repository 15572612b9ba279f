"""Every lie about a single file that we know of, with the words that must be in its refusal.

Names in capitals are those of llama.cpp's test-gguf; the others are ours. A case whose words are None must open.
"""

from gguf_bytes import (
    ALIGNMENT,
    BOOL,
    F32,
    F64,
    I8,
    I32,
    IQ4_KS,
    Q4_K,
    Q8_0,
    STRING,
    U8,
    U32,
    U64,
    array,
    gguf,
    pair,
    tensor,
    text,
    u32,
    u64,
)

MAX = 2**64 - 1
NAME = pair("general.name", STRING, text("m"))
VECTOR = tensor("a", (8,))
DATA = bytes(32)


def aligned(value: int, value_type: int = U32) -> bytes:
    return pair(ALIGNMENT, value_type, u32(value))


LLAMA_CPP: dict[str, tuple[bytes, str | None]] = {
    "HEADER_BAD_MAGIC": (gguf(magic=b"FUGG"), "begins with b'FUGG'"),
    "HEADER_BAD_VERSION_0": (gguf(version=0), "GGUF version 0;"),
    "HEADER_BAD_VERSION_1": (gguf(version=1), "GGUF version 1;"),
    "HEADER_BAD_VERSION_FUTURE": (gguf(version=4), "GGUF version 4;"),
    "HEADER_BAD_N_TENSORS": (gguf(n_tensors=MAX), f"tensors: the file claims {MAX}, more than"),
    "HEADER_BAD_N_KV": (gguf(n_keys=MAX), f"metadata keys: the file claims {MAX}, more than"),
    "HEADER_EMPTY": (gguf(), None),
    "KV_BAD_KEY_SIZE": (gguf([text("key", MAX) + u32(U8) + b"\0"]), f"metadata key 0 claims {MAX} bytes"),
    "KV_EMPTY_KEY": (gguf([pair("", U8, b"\0")]), "metadata key 0 is empty"),
    "KV_BAD_TYPE": (gguf([pair("key", 13, b"\0")]), "has value type 13, which GGUF does not define"),
    "KV_BAD_VALUE_SIZE": (gguf([pair("key", STRING, text("v", MAX))]), f"'key' claims {MAX} bytes"),
    "KV_DUPLICATE_KEY": (gguf([NAME, NAME]), "metadata key 'general.name' appears twice"),
    "KV_BAD_ALIGN": (gguf([aligned(13)]), "general.alignment is 13, not a power of two"),
    "KV_WRONG_TYPE_ALIGN": (gguf([aligned(32, I32)]), "general.alignment has value type 5 instead of uint32"),
    "KV_SUCCESS": (gguf([NAME, pair("n", U32, u32(7)), array("xs", I8, b"\1\2", 2)]), None),
    "TENSORS_BAD_NAME_SIZE": (gguf(tensors=[tensor("x" * 257, (8,))], data=DATA), "has 257 bytes, more than the 256"),
    "TENSORS_BAD_N_DIMS": (gguf(tensors=[tensor("a", (1,) * 5)], data=DATA), "'a' has 5 dimensions"),
    "TENSORS_BAD_SHAPE": (gguf(tensors=[tensor("a", (MAX,))], data=DATA), f"'a' has a dimension of {MAX}"),
    "TENSORS_ZERO_DIM": (gguf(tensors=[tensor("a", (0,))], data=DATA), "'a' has a dimension of 0"),
    "TENSORS_NE_TOO_BIG": (gguf(tensors=[tensor("a", (2**31,) * 3)], data=DATA), f"ends at byte {96 + 4 * 2**93}"),
    "TENSORS_NBYTES_TOO_BIG": (gguf(tensors=[tensor("a", (2**31,) * 2)], data=DATA), f"ends at byte {96 + 2**64}"),
    "TENSORS_BAD_TYPE": (gguf(tensors=[tensor("a", (8,), 9999)], data=DATA), "'a' has type 9999"),
    "TENSORS_BAD_OFFSET": (gguf(tensors=[tensor("a", (8,), offset=1)], data=bytes(64)), "'a' has offset 1, not"),
    "TENSORS_DUPLICATE_NAME": (gguf(tensors=[VECTOR, VECTOR], data=DATA), "tensor 'a' appears twice"),
    "TENSORS_BAD_ALIGN": (gguf([aligned(12)], [VECTOR], DATA), "general.alignment is 12, not a power of two"),
    "TENSORS_INCONSISTENT_ALIGN": (
        gguf(tensors=[tensor("a", (2,)), tensor("b", (2,), offset=8)], data=DATA),
        "'b' has offset 8, not a multiple of the alignment 32",
    ),
    "TENSORS_SUCCESS": (gguf(tensors=[VECTOR]), "'a' ends at byte 96, but the file has 64"),
    "TENSORS_CUSTOM_ALIGN": (
        gguf([aligned(1)], [tensor("a", (8,)), tensor("b", (8,), offset=32)], alignment=1),
        "'a' ends at byte 155, but the file has 123",
    ),
    "DATA_NOT_ENOUGH_DATA": (gguf(tensors=[VECTOR], data=DATA[:-1]), "ends at byte 96, but the file has 95"),
    "DATA_BAD_ALIGN": (gguf([aligned(24)], [VECTOR], DATA), "general.alignment is 24, not a power of two"),
    "DATA_INCONSISTENT_ALIGN": (
        gguf(tensors=[tensor("a", (1,)), tensor("b", (1,), offset=4)], data=DATA),
        "'b' has offset 4, not a multiple of the alignment 32",
    ),
    "DATA_MEM_SIZE_OVERFLOW": (
        gguf(tensors=[tensor("a", (2**63 - 64,)), tensor("b", (2**63 - 64,), offset=2**63 - 64)], data=DATA),
        f"'a' has a dimension of {2**63 - 64}",
    ),
    "DATA_SUCCESS": (gguf([NAME], [VECTOR, tensor("b", (8,), offset=32)], DATA + DATA), None),
    "DATA_CUSTOM_ALIGN": (gguf([aligned(1)], [tensor("a", (8,))], DATA, alignment=1), None),
}

HEADERS: dict[str, tuple[bytes, str | None]] = {
    "nothing at all": (b"", "ends within the magic number: 4 bytes expected, 0 left"),
    "three bytes": (b"GGU", "ends within the magic number: 4 bytes expected, 3 left"),
    "magic alone": (b"GGUF", "ends within the version"),
    "half a version": (b"GGUF\3\0", "ends within the version: 4 bytes expected, 2 left"),
    "no counts": (b"GGUF\3\0\0\0", "ends within the number of tensors"),
    "no count of keys": (gguf()[:16], "ends within the number of metadata keys"),
    "a ggml file of old": (gguf(magic=b"lmgg"), "begins with b'lmgg'"),
    "a ZIP file": (b"PK\3\4" + bytes(60), "begins with b'PK"),
    "a text": (b"<!DOCTYPE html><html>Not found</html>", "begins with b'<!DO'"),
    "another byte order": (b"GGUF" + (3).to_bytes(4, "big") + bytes(16), "big-endian"),
    "a version beyond reason": (gguf(version=2**32 - 1), f"GGUF version {2**32 - 1};"),
    "version 2": (gguf(version=2), None),
    "more keys than bytes": (gguf(n_keys=60_000), "metadata keys: the file claims 60000, but only"),
    "one key too many": (gguf(n_keys=65_537), "metadata keys: the file claims 65537, more than"),
    "more tensors than bytes": (gguf(n_tensors=60_000), "tensors: the file claims 60000, but only"),
    "one tensor too many": (gguf(n_tensors=65_537), "tensors: the file claims 65537, more than"),
    "a key that is not there": (gguf([NAME], n_keys=2) + bytes(6), "metadata key 1"),
}

KEYS: dict[str, tuple[bytes, str | None]] = {
    "a key longer than the file": (gguf([text("k", 200) + u32(U8) + b"\0"]), "metadata key 0 claims 200 bytes"),
    "a key longer than allowed": (gguf([pair("k" * 65_537, U8, b"\0")]), "metadata key 0 has 65537 bytes"),
    "the longest key": (gguf([pair("k" * 65_536, U8, b"\0")]), None),
    "a key without a type": (
        gguf([text("a.longer.key")], alignment=1),
        "ends within the type of metadata key 'a.longer.key'",
    ),
    "a key without a value": (gguf([text("key") + u32(U64)], alignment=1), "ends within the value of metadata key"),
    "a type beyond reason": (gguf([pair("key", 2**32 - 1, bytes(8))]), f"value type {2**32 - 1}"),
    "a text longer than the file": (gguf([pair("key", STRING, text("v", 300))]), "'key' claims 300 bytes"),
    "a text without a length": (gguf([text("key") + u32(STRING)], alignment=1), "the length of the value of"),
    "an array of arrays": (gguf([array("key", 9, bytes(12), 1)]), "is an array of arrays"),
    "an array of nothing known": (gguf([array("key", 13, bytes(12), 1)]), "has items of type 13"),
    "an array without a count": (gguf([text("key") + u32(9) + u32(U8)], alignment=1), "ends within the item count"),
    "2^62 texts in 51 bytes": (gguf([array("k", STRING, b"", 2**62)], alignment=1), f"claims {2**62}, more than"),
    "2^63 numbers": (gguf([array("key", U64, b"", 2**63)]), f"claims {2**63}, more than"),
    "a product of 2^64": (gguf([array("key", F64, b"", 2**61)]), f"claims {2**61}, more than"),
    "a million absent bytes": (gguf([array("key", U8, bytes(99), 10**6)]), "claims 1000000, but only"),
    "one number short": (gguf([array("key", F32, bytes(12), 4)], alignment=1), "claims 4, but only 12 bytes"),
    "one text short": (
        gguf([array("key", STRING, text("a" * 90) + text("b"), 3)], alignment=1),
        "ends within string 2 of metadata key 'key'",
    ),
    "a text in an array too long": (
        gguf([array("key", STRING, text("a") + text("b", 500), 2)]),
        "string 1 of metadata key 'key' claims 500 bytes",
    ),
    "a text in an array of 2^64": (
        gguf([array("key", STRING, text("a", MAX), 1)]),
        f"string 0 of metadata key 'key' claims {MAX} bytes",
    ),
    "neither true nor false": (gguf([pair("key", BOOL, b"\2")]), "'key' is a boolean of value 2"),
    "an array of such": (gguf([array("key", BOOL, b"\0\1\7", 3)]), "'key' is a boolean of value 7"),
    "a key twice, apart": (
        gguf([pair("k", U8, b"\0"), NAME, pair("k", U8, b"\1")]),
        "metadata key 'k' appears twice",
    ),
    "a key twice by replacement": (
        gguf([pair(b"k\xff", U8, b"\0"), pair(b"k\xfe", U8, b"\0")]),
        "metadata key 'k\N{REPLACEMENT CHARACTER}' appears twice",
    ),
    "a key that rings": (gguf([pair("\x1b[2J\x07", 13, b"\0")]), "'\N{REPLACEMENT CHARACTER}[2J"),
    "bytes that are no text": (gguf([pair("key", STRING, text(b"\xff\xfe"))]), None),
    "an array of no texts": (gguf([array("key", STRING, b"", 0)]), None),
    "an array of no numbers": (gguf([array("key", U32, b"", 0)]), None),
}

ALIGNMENTS: dict[str, tuple[bytes, str | None]] = {
    "alignment zero": (gguf([aligned(0)], [VECTOR], DATA), "general.alignment is 0,"),
    "alignment three": (gguf([aligned(3)], [VECTOR], DATA), "general.alignment is 3,"),
    "alignment of a gigabyte": (gguf([aligned(2**30)], [VECTOR], DATA), f"general.alignment is {2**30},"),
    "alignment of 128 KiB": (gguf([aligned(2**17)], [VECTOR], DATA), f"general.alignment is {2**17},"),
    "alignment as text": (gguf([pair(ALIGNMENT, STRING, text("32"))]), "has value type 8 instead"),
    "alignment in eight bytes": (gguf([pair(ALIGNMENT, U64, u64(32))]), "has value type 10 instead"),
    "alignment twice": (gguf([aligned(32), aligned(64)]), "'general.alignment' appears twice"),
    "alignment of 64 KiB": (gguf([aligned(2**16)], [VECTOR], DATA, alignment=2**16), None),
}

TENSORS: dict[str, tuple[bytes, str | None]] = {
    "no name": (gguf(tensors=[tensor("", (8,))], data=DATA), "tensor 0 has no name"),
    "a name longer than the file": (gguf(tensors=[text("a", 999)], data=DATA), "the name of tensor 0 claims 999"),
    "the longest name": (gguf(tensors=[tensor("x" * 256, (8,))], data=DATA), None),
    "a name that rings": (
        gguf(tensors=[tensor("\x1b]0;x\x07", (0,))], data=DATA),
        "'\N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER}'",
    ),
    "no dimensions": (gguf(tensors=[tensor("a", ())], data=DATA), "'a' has 0 dimensions"),
    "2^32 dimensions": (gguf(tensors=[text("a") + u32(2**32 - 1)], data=DATA), f"{2**32 - 1} dimensions"),
    "nothing on the second axis": (gguf(tensors=[tensor("b", (8, 0))], data=DATA), "'b' has a dimension of 0"),
    "one more than 2^31": (gguf(tensors=[tensor("a", (2**31 + 1,))], data=DATA), f"dimension of {2**31 + 1}"),
    "exabytes": (gguf(tensors=[tensor("a", (2**31, 2**29))], data=DATA), f"ends at byte {96 + 2**62}"),
    "a product that wraps to nothing": (
        gguf(tensors=[tensor("a", (2**31, 2**31, 2**2), Q8_0)], data=DATA),
        f"ends at byte {96 + 2**64 // 32 * 34}",
    ),
    "half a block of 32": (gguf(tensors=[tensor("a", (48,), Q8_0)], data=bytes(96)), "not a multiple of Q8_0's block"),
    "half a block of 256": (gguf(tensors=[tensor("a", (128,), Q4_K)], data=bytes(96)), "not a multiple of Q4_K's"),
    "a type just beyond": (gguf(tensors=[tensor("a", (8,), 512)], data=DATA), "'a' has type 512, beyond all"),
    "the largest type": (gguf(tensors=[tensor("a", (8,), 2**32 - 1)], data=DATA), f"'a' has type {2**32 - 1}"),
    "an offset that wraps": (
        gguf(tensors=[tensor("a", (8,), offset=2**64 - 32)], data=DATA),
        f"byte {2**64 + 64 + 0},",
    ),
    "an offset past the end": (gguf(tensors=[tensor("a", (8,), offset=64)], data=DATA), "ends at byte 160, but"),
    "no row header": (
        gguf(tensors=[tensor("a", (256, 2), IQ4_KS)], data=bytes(2 * 136 + 7)),
        "'a' ends at byte 376, but the file has 375",
    ),
    "the same place twice": (gguf(tensors=[VECTOR, tensor("b", (8,))], data=DATA), "tensors 'a' and 'b' overlap"),
    "overlapping by a little": (
        gguf(tensors=[tensor("c", (9,)), tensor("d", (8,), offset=32)], data=bytes(64)),
        "tensors 'c' and 'd' overlap",
    ),
    "one inside another": (
        gguf(tensors=[tensor("f", (8,), offset=32), tensor("e", (32,))], data=bytes(128)),
        "tensors 'e' and 'f' overlap",
    ),
    "a name twice, apart": (
        gguf(tensors=[tensor("g", (8,)), tensor("h", (8,), offset=32), tensor("g", (8,), offset=64)], data=bytes(96)),
        "tensor 'g' appears twice",
    ),
    "a table cut short": (
        gguf(tensors=[tensor("a" * 20, (8,))[:-4]], alignment=1),
        "ends within the offset of tensor 'aaaa",
    ),
    "no table": (gguf(n_tensors=1), "tensors: the file claims 1, but only 8 bytes are left"),
    "tensors in any order, with gaps": (
        gguf(tensors=[tensor("a", (8,), offset=128), tensor("b", (8,), offset=32)], data=bytes(160)),
        None,
    ),
}

CASES = LLAMA_CPP | HEADERS | KEYS | ALIGNMENTS | TENSORS
