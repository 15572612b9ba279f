"""How a device keeps a weight's rows: as the file has them, copied, or re-laid for its kernels.

Vectors and tables that only `embed` reads are never re-laid. A table that serves as output too follows its output,
so a backend that packs must be able to embed from what it packed.
"""

from importlib import import_module

from harness.core.errors import PlanError
from harness.core.options import Options
from harness.core.plan.types import StoredTensor


def layout_on(device: str, options: Options, format_name: str, *, multiplied: bool) -> str:
    """One of "mapped", "rows", "packed", "packed_small" for one weight; `multiplied` is False for vectors and tables.

    Errors: PlanError where a device cannot do what was asked for.
    """
    packs = packed_formats(device)
    if options.layout == "mapped":
        if not maps(device):
            raise PlanError(f"layout mapped needs a CPU device, not {device}; use layout packed or auto")
        return "mapped"
    if options.layout in ("packed", "packed_small") and not packs:
        raise PlanError(f"layout {options.layout} is not available on {device}; use layout auto")
    if not multiplied or format_name not in packs:
        return "rows"
    return "packed_small" if options.layout == "packed_small" else "packed"


def maps(device: str) -> bool:
    """Whether the device can compute from the file's own mapping."""
    return kind_of(device) in ("cpu", "reference", "reference-q8")


def packed_formats(device: str) -> frozenset[str]:
    """Formats the device's backend re-lays for its kernels."""
    if kind_of(device) != "cpu":
        return frozenset()
    formats: frozenset[str] = getattr(import_module("harness.core.cpu"), "PACKED_FORMATS", frozenset())
    return formats


def held_bytes(tensor: StoredTensor) -> int:
    """What the tensor takes on its device: a GPU's rows fill tiles, a CPU's packed ones are about the file's size.

    Codebooks are packed as levels instead of indices and take more: 1.6 times the file's IQ2_XXS (1.1 in packed_small),
    1.5 times IQ2_XS, IQ1_S and IQ1_M, 1.4 times IQ2_S and IQ3_XXS, 1.25 times IQ3_S.
    """
    if kind_of(tensor.device) in ("cuda", "cuda-emulated"):
        rows: int = import_module("harness.core.cuda.layout").held_rows(tensor.format, tensor.n_rows)
        return rows * tensor.row_bytes
    if not tensor.layout.startswith("packed"):
        return tensor.n_bytes
    size: int = import_module("harness.core.cpu").packed_bytes(
        tensor.format, tensor.n_rows, tensor.shape[-1], small=tensor.layout == "packed_small"
    )
    return size


def kind_of(device: str) -> str:
    """The backend a device belongs to: `cpu:1` is of kind `cpu`."""
    return device.split(":", 1)[0]


def index_of(device: str) -> int:
    """The number of a device among its kind: that of `cuda:1` is 1, of `reference` 0. Errors: PlanError."""
    _, _, number = device.partition(":")
    if number and not number.isdecimal():
        raise PlanError(f"device {device!r} has no number after the colon; write it as in cuda:0")
    return int(number or 0)
