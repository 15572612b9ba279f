"""Which formats have a packed layout on the CPU, and what a weight takes in it; known without the native part.

The layouts themselves are in native/kernels/store.h, and a test holds these sizes to the native ones.
"""

from collections.abc import Mapping

_PER_16_ROWS_OF_256: Mapping[str, int] = {
    "MXFP4": 2176,
    "Q4_0": 2304,
    "Q4_1": 2560,
    "Q5_0": 2816,
    "Q5_1": 3072,
    "Q8_0": 4352,
    "Q2_K": 1344,
    "Q3_K": 1824,
    "Q4_K": 2368,
    "Q5_K": 2880,
    "Q6_K": 3360,
    "IQ1_S": 1184,
    "IQ1_M": 1312,
    "IQ2_XXS": 1696,
    "IQ2_XS": 1824,
    "IQ2_S": 1824,
    "IQ2_K": 1312,
    "IQ2_KS": 1152,
    "IQ3_XXS": 2208,
    "IQ3_S": 2208,
    "IQ3_K": 1824,
    "IQ4_NL": 2304,
    "IQ4_XS": 2208,
    "IQ4_K": 2336,
    "IQ4_KS": 2176,
    "IQ4_KSS": 2176,
    "IQ5_K": 2848,
}
_PER_16_ROWS: Mapping[str, int] = {"IQ2_KS": 64, "IQ4_KS": 64, "IQ4_KSS": 64}
_SMALL: Mapping[str, int] = {"IQ2_XXS": 1184}

PACKED_FORMATS = frozenset(_PER_16_ROWS_OF_256)
"""Formats whose rows the kernels have in a layout of their own."""


def packed_bytes(format_name: str, n_rows: int, n_columns: int, *, small: bool) -> int:
    """Bytes of a packed weight, up to padding: 16 rows and 64 bytes a group."""
    sizes = {**_PER_16_ROWS_OF_256, **_SMALL} if small else _PER_16_ROWS_OF_256
    return -(-n_rows // 16) * (sizes[format_name] * n_columns // 256 + _PER_16_ROWS.get(format_name, 0))
