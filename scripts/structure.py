#!/usr/bin/env python3
"""Writes the list of modules in docs/structure.md from the modules' own first sentences, so that it stays true.

`structure.py` rewrites the file; `structure.py --check` exits 1 where it is out of date.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "structure.md"
MARK = "<!-- The rest is written by scripts/structure.py. -->"
NATIVE = (".cpp", ".h", ".inc", ".cu", ".cuh")


def main() -> int:
    """0 when the page is as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = text[: text.index(MARK) + len(MARK)] + "\n" + "\n".join(listing()) + "\n"
    if "--check" in sys.argv[1:]:
        if text != wanted:
            print("docs/structure.md is out of date; run scripts/structure.py", file=sys.stderr)
        return int(text != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


def listing() -> Iterator[str]:
    """A heading per folder, a line per module."""
    folder = None
    for path in sorted((ROOT / "harness").rglob("*"), key=lambda path: (path.parent, path.name)):
        sentence = first_sentence(path)
        if sentence is None:
            continue
        if path.parent != folder:
            folder = path.parent
            yield f"\n### {folder.relative_to(ROOT)}\n"
        yield f"* `{path.name}`: {sentence}"


def first_sentence(path: Path) -> str | None:
    """What a module says of itself in its first sentence; None for files that are not modules or say nothing."""
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    elif path.suffix in NATIVE:
        text = leading_comment(path.read_text(encoding="utf-8"))
    else:
        return None
    if not text:
        return None
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", paragraph)[0]


def leading_comment(text: str) -> str:
    """The `//` lines a file opens with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line.removeprefix("//").strip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
