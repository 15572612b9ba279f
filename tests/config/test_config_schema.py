import json
import re
from pathlib import Path
from typing import Any

import pytest
from mutations import CONFIGS

from harness.config.json_schema import PATH, json_schema


def test_the_shipped_schema_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == json_schema()


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_a_shipped_config_points_editors_to_the_schema(path: Path) -> None:
    hint = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert hint
    assert (path.parent / hint[1]).resolve() == PATH.resolve()


def test_every_pattern_is_a_regular_expression_and_every_key_says_what_it_is() -> None:
    patterns: list[str] = []
    without: list[str] = []

    def walk(node: Any, where: str) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item, where)
        elif isinstance(node, dict):
            patterns.extend(value for key, value in node.items() if key == "pattern" and isinstance(value, str))
            for name, child in node.get("properties", {}).items():
                without.extend([f"{where}.{name}"] if not child.get("description") else [])
                walk(child, f"{where}.{name}")
            for key in ("items", "anyOf", "additionalProperties"):
                walk(node.get(key), where)

    walk(json.loads(json_schema()), "")
    assert [re.compile(pattern) for pattern in patterns]
    assert not without
