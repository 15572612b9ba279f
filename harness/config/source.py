"""Where a piece of config text came from. Every node of a config keeps a `Mark`; lines and columns count from 1."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """A named text: a config file, or one `--set` argument."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """Line `number`, "" beyond the end."""
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


@dataclass(frozen=True)
class Mark:
    """`width` characters at `line`:`column` of `source`."""

    source: Source = field(repr=False)
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"
