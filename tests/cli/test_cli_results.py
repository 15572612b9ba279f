"""import, export, compare, history, reproduce, baseline and db on one real run and nights made from it."""

import csv
import io
import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from command_line import call
from nights import COMMIT, nights, slow_down, tonight
from typer.testing import Result

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from ages import AGES, as_json, as_md, rows


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.runner.run.harness_commit", lambda: COMMIT)
        folder = tmp_path_factory.mktemp("measured")
        nights(tonight(folder), 10)
    return folder


@pytest.fixture
def folder(tmp_path: Path, measured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("run", "identity"):
        monkeypatch.setattr(f"harness.runner.{module}.harness_commit", lambda: COMMIT)
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    return tmp_path


def ask(folder: Path, name: str, *arguments: str | Path) -> Result:
    return call(name, *arguments, "--results", folder / "results")


def run_of(folder: Path) -> str:
    (run,) = {path.parent.name for path in (folder / "results").glob("*fake-night*/run.json")}
    return run


def test_an_imported_file_is_a_run_that_is_shown_compared_and_exported(folder: Path) -> None:
    age = AGES["mainline 2026-07"]
    (folder / "theirs.json").write_text(as_json(age, rows(age)))
    imported = ask(folder, "import", folder / "theirs.json")
    assert imported.exit_code == 0, imported.output
    name = imported.stdout.split()[0]
    assert name.startswith("imported-theirs-")
    (folder / "other.md").write_text(as_md(age, rows(age)))
    compared = ask(folder, "compare", name, folder / "other.md", "-o", "json", "--repo", folder)
    assert compared.exit_code == 0, compared.output
    assert {row["columns"]["test"] for row in json.loads(compared.stdout)["rows"]} == {"pp512", "tg128"}
    assert {row["verdict"] for row in json.loads(compared.stdout)["rows"]} == {"CANNOT TELL"}
    exported = json.loads(ask(folder, "export", name).stdout)
    assert [row["build_commit"] for row in exported] == ["9f3c1d20"] * 2


def test_an_import_is_never_the_baseline_unless_chosen(folder: Path) -> None:
    age = AGES["mainline 2026-07"]
    (folder / "theirs.json").write_text(as_json(age, rows(age)))
    name = ask(folder, "import", folder / "theirs.json").stdout.split()[0]
    assert name not in ask(folder, "baseline", "show", "--repo", folder).stdout
    assert name in ask(folder, "baseline", "set", name).stdout


def test_a_file_that_holds_nothing_is_one_sentence(folder: Path) -> None:
    (folder / "nothing.txt").write_text("hello")
    result = ask(folder, "import", folder / "nothing.txt")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "nothing to import" in result.stderr


def test_compare_tells_what_differs_between_two_runs_and_their_ratio(folder: Path) -> None:
    slow_down(folder / "results" / "2026-01-03-night", 1.05, "pp")
    result = ask(folder, "compare", "2026-01-02-night", "2026-01-03-night", "-o", "json", "--repo", folder)
    assert result.exit_code == 0, result.output
    found = {(r["columns"]["test"], r["columns"]["merge_up_gate"]): r for r in json.loads(result.stdout)["rows"]}
    assert set(found) == {(test, merge) for test in ("pp64", "tg8") for merge in ("on", "off")}
    assert found["pp64", "on"]["verdict"] == "SLOWER"
    assert found["pp64", "on"]["basis"] == "the series' history"
    assert found["tg8", "on"]["verdict"] != "SLOWER"


def test_compare_with_the_baseline_a_commit_and_in_every_form(folder: Path) -> None:
    run = run_of(folder)
    for form in ("text", "md", "csv"):
        result = ask(folder, "compare", "baseline", run, "-o", form, "--repo", folder)
        assert result.exit_code == 0, result.output
        assert "pp64" in result.stdout
    table = list(csv.reader(io.StringIO(ask(folder, "compare", "baseline", run, "-o", "csv", "--repo", folder).stdout)))
    assert len(table) == 5
    assert ask(folder, "compare", COMMIT[:8], run, "--repo", folder).exit_code == 0


def test_compare_says_why_two_results_cannot_be_laid_side_by_side(folder: Path) -> None:
    age = AGES["mainline 2026-07"]
    (folder / "theirs.json").write_text(as_json(age, rows(age)))
    for arguments, said in (
        ((run_of(folder), folder / "theirs.json"), "no test in common"),
        (("nowhere", run_of(folder)), "no file, run or commit"),
        (("baseline", "baseline"), "name the run"),
    ):
        result = ask(folder, "compare", *arguments, "--repo", folder)
        assert result.exit_code == 2
        assert said in result.stderr


def test_history_shows_steps_with_the_commits_around_them(folder: Path) -> None:
    for night in range(6, 11):
        slow_down(folder / "results" / f"2026-01-{night:02}-night", 1.05, "pp")
    slow_down(folder / "results" / run_of(folder), 1.05, "pp")
    result = ask(folder, "history", "pp", "-o", "json", "--repo", folder, "--page", folder / "page")
    assert result.exit_code == 0, result.output
    for series in json.loads(result.stdout)["series"]:
        (step,) = series["changes"]
        assert step["index"] == 5
        assert step["low"] < 1 / 1.05 < step["high"]
        assert step["commit_after"] == COMMIT[:8]
    assert (folder / "page/index.html").is_file()
    text = ask(folder, "history", "pp", "--repo", folder, "--only", "*merge_up_gate=on*").stdout
    assert "2026-01-06" in text
    assert "merge_up_gate=off" not in text


def test_an_unknown_metric_is_guessed(folder: Path) -> None:
    result = ask(folder, "history", "ppp")
    assert (result.exit_code, "did you mean pp?" in result.stderr) == (2, True)


def test_reproduce_measures_the_case_again_and_says_what_is_different(folder: Path) -> None:
    run = run_of(folder)
    path = next(p for p in (folder / "results" / run).glob("case-*.json"))
    result = ask(folder, "reproduce", path, "--sessions", "2")
    assert result.exit_code == 0, result.output
    assert "= SAME" in result.stdout
    content = json.loads(path.read_text())
    content["harness_commit"] = "fedcba987654"
    path.write_text(json.dumps(content))
    check = ask(folder, "reproduce", f"{run}:{content['case']['case_id']}", "--check")
    assert "harness commit was fedcba987654" in check.stderr


def test_reproduce_refuses_what_cannot_be_measured(folder: Path) -> None:
    age = AGES["mainline 2026-07"]
    (folder / "theirs.json").write_text(as_json(age, rows(age)))
    name = ask(folder, "import", folder / "theirs.json").stdout.split()[0]
    for record, said in (
        (f"{name}:pp512", "imported from theirs.json"),
        (f"{name}:zzz", "0 cases match"),
        ("no", "no such file"),
    ):
        result = ask(folder, "reproduce", record)
        assert result.exit_code == 2
        assert said in result.stderr


def test_export_writes_every_format(folder: Path) -> None:
    run = run_of(folder)
    for form in ("json", "jsonl", "csv", "md", "sql", "github-action"):
        result = ask(folder, "export", run, "--format", form)
        assert result.exit_code == 0, result.output
        assert "64" in result.stdout
    assert ask(folder, "export", run, "--format", "sqlite", "--output", folder / "x.sqlite").exit_code == 0
    database = sqlite3.connect(folder / "x.sqlite")
    assert database.execute("SELECT COUNT(*) FROM llama_bench").fetchone() == (4,)
    database.close()
    for form, said in (("sqlite", "--output"), ("sweep", "no case of these runs is a sweep")):
        result = ask(folder, "export", run, "--format", form)
        assert result.exit_code == 2
        assert said in result.stderr


def test_the_github_actions_names_are_the_same_every_night(folder: Path) -> None:
    names = [
        [entry["name"] for entry in json.loads(ask(folder, "export", run, "-o", "github-action").stdout)]
        for run in ("2026-01-01-night", "2026-01-02-night")
    ]
    assert names[0] == names[1]
    assert len(set(names[0])) == 4


def test_the_index_is_made_anew_after_any_damage(folder: Path) -> None:
    (folder / "results" / "index.sqlite").write_bytes(b"junk" * 1000)
    broken = ask(folder, "history", "pp", "--repo", folder)
    assert broken.exit_code == 2
    assert "harness db rebuild" in broken.stderr
    rebuilt = ask(folder, "db", "rebuild")
    assert (rebuilt.exit_code, rebuilt.stdout) == (0, "44 records indexed, 0 files left out\n")
    assert ask(folder, "history", "pp", "--repo", folder).exit_code == 0
    assert len(ask(folder, "db", "show").stdout.splitlines()) == 11


def test_comparing_two_files_leaves_nothing_behind(tmp_path: Path) -> None:
    for name in ("a", "b"):
        age = AGES["mainline 2026-07"]
        (tmp_path / f"{name}.md").write_text(as_md(age, rows(age)))
    result = call("compare", tmp_path / "a.md", tmp_path / "b.md", "--results", tmp_path / "results")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "b.md"]
