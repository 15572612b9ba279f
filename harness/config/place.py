"""Where a reader stands in the config: the path of keys that led there, and the collector of mistakes."""

from dataclasses import dataclass
from typing import TypeVar

from harness.config.nodes import Node, join
from harness.config.problems import Problems

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """The place of one value; `fail` reports a mistake there and returns None, which is what a reader returns then."""

    path: str
    problems: Problems

    def key(self, name: str) -> "Place":
        return Place(join(self.path, name), self.problems)

    def item(self, index: int) -> "Place":
        return Place(f"{self.path}[{index}]", self.problems)

    def fail(self, node: Node, what: str, *hints: str) -> T | None:
        """Always None, which a reader of any type can return."""
        self.problems.add(node.mark, self.path, what, *hints)
        return None
