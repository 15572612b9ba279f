import resource

import pytest

from harness.config.nodes import ScalarNode, SequenceNode
from harness.config.problems import Mistakes, Problems
from harness.config.tree import MAX_BYTES, parse


def refusal(data: bytes) -> str:
    with pytest.raises(Mistakes) as caught:
        read(data)
    problem = caught.value.problems[0]
    return f"{problem.mark}: {problem.what}"


def read(data: bytes) -> None:
    problems = Problems()
    parse(data, "bomb.yaml", problems)
    problems.stop_if_any()


def test_a_file_of_brackets_ends_at_the_depth_limit() -> None:
    ours, pyyamls = "1:33: nested deeper than 32 levels", "1:1001: not YAML: exceeded maximum nesting depth"
    assert refusal(b"[" * 900) == f"bomb.yaml:{ours}"
    # PyYAML looks ahead, and from 6.0.4 on has a limit of its own, which it may meet first.
    assert refusal(b"[" * 300_000) in (f"bomb.yaml:{ours}", f"bomb.yaml:{pyyamls}")


def test_mappings_count_as_levels_too() -> None:
    text = "".join(f"{' ' * i}a:\n" for i in range(40))
    assert refusal(text.encode()).endswith("nested deeper than 32 levels")


def test_thirty_two_levels_are_allowed() -> None:
    parse(b"[" * 32 + b"]" * 32, "deep.yaml", Problems())


def test_a_million_values_end_at_the_node_limit() -> None:
    data = b"[" + b"1," * 400_000 + b"]"
    assert refusal(data) == "bomb.yaml:1:200000: more than 100,000 values"


def test_a_file_over_the_size_limit_is_not_parsed() -> None:
    assert refusal(b"a: " + b"x" * MAX_BYTES) == f"bomb.yaml:1:1: larger than {MAX_BYTES:,} bytes"
    assert refusal(b"\xff" * (MAX_BYTES + 1)).endswith("bytes")


def test_an_alias_bomb_is_refused_at_its_first_anchor_and_builds_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal("\n".join(lines).encode()) == "bomb.yaml:1:5: an anchor (&a0)"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"name: caf\xe9", "bomb.yaml:1:10: not UTF-8 text"),
        (b"ab: c\nde: \xff", "bomb.yaml:2:5: not UTF-8 text"),
        (b"name: a\x00b", "bomb.yaml:1:8: the character U+0000 is not text"),
        (b"name: \x1b[31mred", "bomb.yaml:1:7: the character U+001B is not text"),
        ("name: a\ufeffb".encode(), "bomb.yaml:1:8: the character U+FEFF is not text"),
    ],
)
def test_bytes_that_are_no_text_are_refused_at_their_place(data: bytes, place: str) -> None:
    assert refusal(data) == place


def test_a_byte_order_mark_at_the_start_is_no_mistake() -> None:
    _, root = parse(b"\xef\xbb\xbfa: 1", "bom.yaml", Problems())
    assert root.mark.column == 1


def test_a_long_message_is_cut_to_fifty_mistakes() -> None:
    from made_configs import config

    with pytest.raises(Mistakes) as caught:
        config("".join(f"unknown{i}: 1\n" for i in range(80)))
    assert len(caught.value.problems) == 81
    assert "and 31 more like these" in str(caught.value)


def test_nothing_in_a_message_drives_the_terminal() -> None:
    from made_configs import config

    with pytest.raises(Mistakes) as caught:
        config('models: {m: a}\n"a\\e[31m": 1\n"\\u202e": 2\n')
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


def test_nodes_keep_line_column_and_width() -> None:
    _, root = parse(b"[one,\n  'two 2']", "marks.yaml", Problems())
    assert isinstance(root, SequenceNode)
    marks = [(item.mark.line, item.mark.column, item.mark.width) for item in root.items if isinstance(item, ScalarNode)]
    assert marks == [(1, 2, 3), (2, 3, 7)]
