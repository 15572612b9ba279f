"""The config's JSON Schema, for editors: made from the same table that reads configs, shipped as `schema.json`.

Editors read YAML 1.2, where on and off are text, so switches allow both. Run this module to write the file anew.
"""

import json
from pathlib import Path

from harness.config.document import DOCUMENT

PATH = Path(__file__).with_name("schema.json")


def json_schema() -> str:
    """The schema as text, one byte sequence for one table."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "harness config",
        "description": "What is measured: models, the matrix of choices, tests.",
    }
    return json.dumps(head | DOCUMENT.schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(json_schema(), encoding="utf-8")
