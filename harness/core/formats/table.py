"""The table of tensor formats: one row per format, one module per format beside this file.

Every quantised format reduces to the same normal form, on which kernels and reference rest:
a row of K weights is int8 codes q[K], one float32 scale per group of `group` weights (16 or 32) and,
where the format has one, a float32 minimum per group:

    w[k] = scale[k // group] * q[k] - minimum[k // group]

exactly (in float32, products rounded once). `decode` in each format's module yields this form.
Sources of the block layouts: ggml-common.h and ggml-quants.c of llama.cpp; iqk_quantize.cpp of ik_llama.cpp.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """`block` weights take `block_bytes`; each row begins with `row_header_bytes`. `group` 0: plain floats."""

    name: str
    type_id: int
    block: int
    block_bytes: int
    group: int = 0
    has_minimum: bool = False
    row_header_bytes: int = 0

    def row_bytes(self, n_columns: int) -> int:
        """Bytes of one row of `n_columns` weights; n_columns must be a multiple of the block."""
        return self.row_header_bytes + n_columns // self.block * self.block_bytes


FORMATS: tuple[Format, ...] = (
    Format("F32", 0, 1, 4),
    Format("F16", 1, 1, 2),
    Format("BF16", 30, 1, 2),
    Format("Q4_0", 2, 32, 18, group=32),
    Format("Q4_1", 3, 32, 20, group=32, has_minimum=True),
    Format("Q8_0", 8, 32, 34, group=32),
    Format("Q2_K", 10, 256, 84, group=16, has_minimum=True),
    Format("Q4_K", 12, 256, 144, group=32, has_minimum=True),
    Format("Q5_K", 13, 256, 176, group=32, has_minimum=True),
    Format("Q6_K", 14, 256, 210, group=16),
    Format("IQ2_XXS", 16, 256, 66, group=32),
    Format("MXFP4", 39, 32, 17, group=32),
    Format("IQ4_K", 139, 256, 144, group=16),
    Format("Q5_0", 6, 32, 22, group=32),
    Format("Q5_1", 7, 32, 24, group=32, has_minimum=True),
    Format("Q3_K", 11, 256, 110, group=16),
    Format("IQ1_S", 19, 256, 50, group=32),
    Format("IQ1_M", 29, 256, 56, group=16),
    Format("IQ2_XS", 17, 256, 74, group=16),
    Format("IQ2_S", 22, 256, 82, group=16),
    Format("IQ3_XXS", 18, 256, 98, group=32),
    Format("IQ3_S", 21, 256, 110, group=32),
    Format("IQ4_NL", 20, 32, 18, group=32),
    Format("IQ4_XS", 23, 256, 136, group=32),
    Format("IQ2_K", 137, 256, 76, group=16),
    Format("IQ2_KS", 145, 256, 70, group=32, row_header_bytes=2),
    Format("IQ3_K", 138, 256, 110, group=16),
    Format("IQ4_KS", 144, 256, 136, group=32, row_header_bytes=4),
    Format("IQ4_KSS", 146, 256, 128, group=32, row_header_bytes=4),
    Format("IQ5_K", 140, 256, 176, group=16),
)

BY_NAME = {row.name: row for row in FORMATS}
BY_ID = {row.type_id: row for row in FORMATS}
