"""The commands on a real PostgreSQL server, by URL."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import call

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from ages import AGES, as_json, rows
from postgres_server import server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as where:
        yield where


def test_results_are_indexed_listed_and_compared_in_postgresql(tmp_path: Path, url: str) -> None:
    results = tmp_path / "results"
    age = AGES["ik 2026-05"]
    (tmp_path / "theirs.json").write_text(as_json(age, rows(age)))
    assert call("import", tmp_path / "theirs.json", "--results", results).exit_code == 0
    rebuilt = call("db", "rebuild", "--results", results, "--db", url)
    assert rebuilt.stdout == "2 records indexed, 0 files left out\n", rebuilt.output
    assert "imported-theirs" in call("db", "show", "--results", results, "--db", url).stdout
    compared = call("compare", "9f3c1d20", tmp_path / "theirs.json", "--results", results, "--db", url)
    assert compared.exit_code == 0, compared.output
    assert not (results / "index.sqlite").exists()


def test_a_server_that_is_not_there_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    result = call("db", "show", "--results", tmp_path, "--db", "postgresql://me:geheim@127.0.0.1:1/x")
    assert result.exit_code == 2
    assert "cannot be reached" in result.stderr
    assert "geheim" not in result.stderr
