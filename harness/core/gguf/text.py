"""Text out of a file as text for people: never a control character, never longer than a line."""

import unicodedata

DAMAGED = "The file is truncated or damaged; fetch it again."
MISWRITTEN = "The program that wrote it broke the rules of GGUF; convert the model again with a current one."
BEYOND = "No real model needs this; the file is damaged or made to do harm."


def printable(text: str, limit: int = 80) -> str:
    """`text` with control, format and surrogate characters replaced, cut to `limit` characters."""
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c for c in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
