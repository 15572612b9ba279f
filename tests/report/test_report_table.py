"""The one table type and its plainest form."""

from made_runs import pair

from harness.report.sections.sweep import pair_table
from harness.report.table import Column, Table, named_rows, number, to_csv, words
from harness.report.variants import groups


def test_csv_has_full_headings_and_no_formula() -> None:
    columns = (Column("name", "text"), Column("t/s", band="merge on", variant=1))
    rows = ((words("=HYPERLINK(1)"), number(1.5, "1.50")), (words('say "a,b"'), number(-2.0, "-2.0")))
    text = to_csv(Table("t", "caption", columns, rows))
    assert text == 'name,merge on: t/s\n\'=HYPERLINK(1),1.50\n"say ""a,b""",-2.0\n'


def test_the_pair_of_tables_comes_apart_into_the_prs_columns() -> None:
    (group,) = groups(pair())
    table = pair_table(group, group.pairs[0])
    assert table is not None
    (off, first), (on, second) = table.by_variant()
    assert (off, on) == ("merge off", "merge on")
    assert first.full_heads == ("PP", "TG", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s")
    assert second.full_heads == (*first.full_heads, "ratio PP", "ratio TG")
    assert [row[2].value for row in second.rows] == [row[2].value for row in table.rows]


def test_bands_span_neighbours_and_rules_stand_between_them() -> None:
    (group,) = groups(pair())
    table = pair_table(group, group.pairs[0])
    assert table is not None
    assert [(band.text, band.span) for band in table.bands] == [
        ("", 3),
        ("merge off", 4),
        ("merge on", 4),
        ("ratio", 2),
    ]
    assert [place for place in range(13) if table.starts_band(place)] == [3, 7, 11]


def test_names_without_a_value_are_left_out() -> None:
    table = named_rows("k", "c", ("what", "value"), (("CPU", "x"), ("GPU", "")))
    assert [row[0].text for row in table.rows] == ["CPU"]
