"""What a parser of foreign results hands on: flat rows, and what it could not make sense of."""

from dataclasses import dataclass

from harness.store.llama_bench_fields import Value, field_type
from harness.store.llama_bench_rows import FlatRow


@dataclass(frozen=True)
class Parsed:
    """Rows in the file's order; each warning says what was damaged and what became of it."""

    rows: tuple[FlatRow, ...] = ()
    warnings: tuple[str, ...] = ()


def typed(name: str, text: str) -> Value:
    """Text as the field's type; text that is not of that type stays text."""
    kind = field_type(name)
    try:
        if kind == "bool":
            return {"0": False, "1": True, "false": False, "true": True}.get(text.lower(), text)
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    return text
