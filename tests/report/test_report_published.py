"""What others published: complete, sourced, and named in the documentation."""

from pathlib import Path

import pytest

from harness.report.published import Published, asked_for, everything, find, names

DOCS = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.mark.parametrize("table", everything(), ids=names())
def test_every_table_has_a_source_a_machine_and_rows_of_its_kind(table: Published) -> None:
    assert table.source.startswith("https://github.com/")
    assert table.hardware
    assert table.rows
    assert {len(row) for row in table.rows} == {7 if table.kind == "sweep" else 6}


@pytest.mark.parametrize("table", [t for t in everything() if t.kind == "sweep"], ids=lambda t: t.name)
def test_a_sweeps_speeds_are_its_tokens_over_its_times(table: Published) -> None:
    """A slip of the pen in a copied figure would show here; the threads print ms and hundredths."""
    for n_prompt, n_gen, _, t_pp, s_pp, t_tg, s_tg in table.rows:
        for tokens, seconds, speed in ((n_prompt, t_pp, s_pp), (n_gen, t_tg, s_tg)):
            if speed is not None:
                assert tokens / (seconds + 5e-4) - 0.005 <= speed <= tokens / (seconds - 5e-4) + 0.005  # type: ignore[operator]


def test_of_the_four_tables_of_1137_the_one_known_has_no_heading() -> None:
    (table,), problems = find(["ik-1137"])
    assert problems == ()
    assert not table.heading_known
    assert "not known" in table.label
    assert "one of the four sweep tables" in table.caveat


def test_a_figure_that_was_cut_off_is_no_point() -> None:
    ((table,), _) = find(["ik-1137"])
    assert len(table.curve("pp", -1).x) == len(table.rows)
    assert len(table.curve("tg", -1).x) == len(table.rows) - 1


def test_a_name_may_stand_for_several_tables_and_an_unknown_one_is_told() -> None:
    found, problems = find(["ik-1403", "ik-1403-on", "nonsense"])
    assert [table.name for table in found] == ["ik-1403-off", "ik-1403-on"]
    assert len(problems) == 1
    assert all(name in problems[0] for name in names())


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("report: {reference: [ik-1137, ik-1403]}", ("ik-1137", "ik-1403")),
        ("report: {reference: ik-1137}", ("ik-1137",)),
        ("report: {reference: [1, ik-1137]}", ("ik-1137",)),
        ("report: {}", ()),
        ("name: x", ()),
        ("- a list", ()),
        (": : :", ()),
        ("", ()),
        ("a: &a [*a]", ()),
        ("!!python/object/apply:os.system [echo]", ()),
    ],
)
def test_references_are_read_from_any_text_that_claims_to_be_a_config(text: str, asked: tuple[str, ...]) -> None:
    assert asked_for(text) == asked


def test_the_documentation_names_every_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in names() if name not in text] == []
