"""Machine code of a compiled kernel, as nvdisasm (from NVIDIA's wheel) prints it: opcodes by kernel and by loop."""

import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_LABEL = re.compile(r"^(\.L_x_\d+):")
_TEXT = re.compile(r"^\.text\.(\w+):")
_INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*?);")


@dataclass(frozen=True)
class Instruction:
    opcode: str
    operands: str


@dataclass(frozen=True)
class Code:
    """One kernel: its instructions, and where its labels stand among them."""

    instructions: list[Instruction]
    labels: dict[str, int]

    def count(self, opcode: str, start: int = 0, end: int | None = None) -> int:
        """Instructions whose opcode begins so."""
        return sum(each.opcode.startswith(opcode) for each in self.instructions[start:end])

    def loops(self) -> list[tuple[int, int]]:
        """First and last instruction of every backward branch's span, innermost first."""
        spans = []
        for at, each in enumerate(self.instructions):
            target = re.search(r"\.L_x_\d+", each.operands) if each.opcode.startswith("BRA") else None
            if target and self.labels.get(target[0], at + 1) < at:
                spans.append((self.labels[target[0]], at))
        return sorted(spans, key=lambda span: span[1] - span[0])


def disassemble(cubin: Path) -> dict[str, Code]:
    """Every kernel of the file, by name."""
    text = subprocess.run([_nvdisasm(), "-c", str(cubin)], capture_output=True, text=True, check=True).stdout
    found: dict[str, Code] = {}
    code = Code([], {})
    for line in map(str.strip, text.splitlines()):
        if start := _TEXT.match(line):
            code = found.setdefault(start[1], Code([], {}))
        elif label := _LABEL.match(line):
            code.labels[label[1]] = len(code.instructions)
        elif instruction := _INSTRUCTION.search(line):
            code.instructions.append(Instruction(instruction[2], instruction[3]))
    return found


def _nvdisasm() -> str:
    spec = find_spec("nvidia")
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    programs = [path for folder in folders for path in folder.glob("*/bin/nvdisasm")]
    assert programs, "nvdisasm is missing: pip install nvidia-cuda-nvdisasm"
    return str(programs[0])
