"""Mistakes in a config, collected so that all are shown at once; each names file, line, column and key.

configs/gptoss.yaml:14:3: matrix.split_mod: unknown key
  14 |   split_mod: layer
     |   ^^^^^^^^^
     did you mean split_mode?
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.config.source import Mark
from harness.errors import ConfigError

SHOWN_COLUMNS = 110
MOST_SHOWN = 50


@dataclass(frozen=True)
class Problem:
    """One mistake: where, at which key, what is wrong, and what to do about it."""

    mark: Mark
    path: str
    what: str
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = ": ".join(part for part in (str(self.mark), self.path, self.what) if part)
        gutter = " " * (len(str(self.mark.line)) + 2)
        excerpt, caret = _excerpt(self.mark)
        lines = [printable(head), f"  {self.mark.line} | {excerpt}", f"{gutter} | {caret}"]
        lines += [f"{gutter}   {printable(hint)}" for hint in self.hints]
        return "\n".join(line.rstrip() for line in lines)


class Mistakes(ConfigError):  # noqa: N818  they are what they are
    """Every mistake found in one config."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        super().__init__(_text(self.problems))


@dataclass(frozen=True)
class Problems:
    """A collector that readers add to while they go on."""

    found: list[Problem] = field(default_factory=list)

    def add(self, mark: Mark, path: str, what: str, *hints: str) -> None:
        self.found.append(Problem(mark, path, what, hints))

    def stop_if_any(self) -> None:
        """Errors: Mistakes, with all that was added."""
        if self.found:
            raise Mistakes(self.found)


def printable(text: str) -> str:
    """`text` on one line with nothing invisible in it, so that nothing in a file can drive a terminal."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.mark.source.name, problem.mark.line, problem.mark.column


def _text(problems: tuple[Problem, ...]) -> str:
    shown = [str(problem) for problem in problems[:MOST_SHOWN]]
    if len(problems) > MOST_SHOWN:
        shown.append(f"and {len(problems) - MOST_SHOWN} more like these")
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return "\n".join([*shown, f"{count}; nothing was run"])


def _excerpt(mark: Mark) -> tuple[str, str]:
    """The marked line and the caret line, cut to a window where the line is long."""
    line, start = printable(mark.source.line(mark.line)), mark.column - 1
    first = max(0, start - SHOWN_COLUMNS // 2) if len(line) > SHOWN_COLUMNS else 0
    window = line[first : first + SHOWN_COLUMNS].rstrip()
    width = max(1, min(mark.width, len(window) - (start - first)))
    return window, " " * (start - first) + "^" * width
