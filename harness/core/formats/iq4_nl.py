"""IQ4_NL: 32 weights in 18 bytes: float16 d, then 16 bytes of nibbles (low ones first) into a table; w = d * value."""

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.value_tables import IQ4


def _decode(blocks: Blocks) -> NormalForm:
    return NormalForm(IQ4[0][unpack(blocks.body[..., 2:], 4, 16)], f16(blocks.body, 0), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
