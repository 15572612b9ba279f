"""Broken configs by the thousand: the shipped ones with a few random edits each, the same for the same seed."""

import random
from pathlib import Path

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
WORDS = (
    *[
        "on",
        "no",
        "~",
        "1e-3",
        "010",
        "12:30",
        "0x1F",
        "-1",
        ".inf",
        "99999999999999999999",
        "''",
        "[[]]",
        "{}",
        "*a",
        "0..9/1",
        "0..99999999/1",
        "<<",
    ],
    *["muge", "matrix", "models", "merge_up_gate", "auto", "cuda:0", "llama_bench:x", "load", "when", "set", "é", "日"],
    *'[]{}|>#%@`=,\t\n\r"\u2028\x00\ufeff',
    *("&a x", "!!int 3", "? ", ": ", "- ", "---", "...", "0 s", "10 min", "5 %"),
)


def mutated(seed: int) -> bytes:
    """One broken config; now and then its bytes are cut or flipped so that they are no text."""
    rng = random.Random(seed)
    text = rng.choice(CONFIGS).read_text()
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(EDITS)(text, rng)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1 and data:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    return data


def _cut(text: str, rng: random.Random) -> str:
    first, last = sorted(rng.randint(0, len(text)) for _ in range(2))
    return text[:first] + text[last if last - first < 60 else first + 1 :]


def _insert(text: str, rng: random.Random) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(WORDS) + text[at:]


def _replace_word(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def _repeat_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    lines.insert(rng.randint(0, len(lines)), rng.choice(lines) if lines else "")
    return "".join(lines)


def _swap_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    rng.shuffle(chosen := [rng.randrange(len(lines)) for _ in range(2)] if lines else [])
    for one, other in zip(chosen, reversed(chosen), strict=True):
        lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def _indent(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    if lines:
        at = rng.randrange(len(lines))
        lines[at] = rng.choice([" ", "  ", "\t", ""]) + lines[at].lstrip(" ")
    return "".join(lines)


EDITS = (_cut, _insert, _insert, _replace_word, _replace_word, _repeat_line, _swap_lines, _indent)
