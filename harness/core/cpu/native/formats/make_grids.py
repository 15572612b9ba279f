"""Writes the codebooks of harness/core/formats/grids.txt as C++ arrays. Usage: make_grids.py GRIDS_TXT OUT_INC."""  # noqa: INP001

import sys
from pathlib import Path

NAMES = {
    "iq2_xxs": "kGridIq2Xxs",
    "iq2_xs": "kGridIq2Xs",
    "iq2_s": "kGridIq2S",
    "iq3_xxs": "kGridIq3Xxs",
    "iq3_s": "kGridIq3S",
    "iq1": "kGridIq1",
}


def main() -> None:
    """One array per codebook that a decoder uses."""
    source, target = map(Path, sys.argv[1:])
    arrays = []
    for section in source.read_text(encoding="ascii").split("[")[1:]:
        heading, _, body = section.partition("\n")
        name, _, values = heading.partition("]")
        if name in NAMES:
            arrays.append(_array(NAMES[name], values.split(), body.split()))
    target.write_text("\n".join(arrays), encoding="ascii")


def _array(name: str, values: list[str], entries: list[str]) -> str:
    rows = ",\n".join("{" + ",".join(values[int(digit)] for digit in entry) + "}" for entry in entries)
    return f"extern const std::int8_t {name}[{len(entries)}][{len(entries[0])}] = {{\n{rows}}};\n"


if __name__ == "__main__":
    main()
