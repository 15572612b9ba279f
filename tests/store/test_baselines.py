import subprocess
from pathlib import Path

import pytest

from harness.errors import ResultError
from harness.store.baselines import baseline_of, choose, chosen, earlier_on_line
from harness.store.commits import Repository
from harness.store.sessions import RunEntry


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Commits a - b - c on the main line, and x off b."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name in "ab":
        commit(folder, name)
    git(folder, "checkout", "-q", "-b", "side")
    commit(folder, "x")
    git(folder, "checkout", "-q", "main")
    commit(folder, "c")
    return Repository(folder)


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, name: str) -> None:
    git(folder, "commit", "-q", "--allow-empty", "-m", f"change {name}")
    git(folder, "tag", name)


def run(
    day: int, commit: str, machine: str = "m", rerun_of: str = "", *, imported: bool = False, experiment: str = ""
) -> RunEntry:
    return RunEntry(f"run-{day}", f"2026-01-{day:02}", "smoke", machine, (commit,), rerun_of, imported, experiment)


def names(entries: tuple[RunEntry, ...]) -> list[str]:
    return [entry.run for entry in entries]


def test_the_nearest_ancestor_with_results_on_such_a_machine_is_the_baseline(repository: Repository) -> None:
    short = {name: repository.resolve(name)[:12] for name in "abcx"}
    runs = [run(1, short["a"]), run(2, short["b"]), run(3, short["x"]), run(4, short["b"], "other"), run(9, short["c"])]
    found = baseline_of(runs[-1], runs, {}, repository)
    assert found is not None
    assert found.run.run == "run-2"
    assert "ancestor" in found.how


def test_results_of_another_branch_or_machine_imports_reruns_and_experiments_are_no_nights(
    repository: Repository,
) -> None:
    runs = [
        run(1, "a"),
        run(2, "x"),
        run(3, "b", "other"),
        run(4, "b", rerun_of="run-1"),
        run(5, "b", imported=True),
        run(6, "b"),
        run(7, "b", experiment="profile"),
        run(8, "b", experiment="ab"),
        run(9, "c"),
    ]
    assert names(earlier_on_line(runs[-1], runs, repository)) == ["run-1", "run-6"]


def test_nights_go_by_commit_even_where_an_old_commit_was_measured_late(repository: Repository) -> None:
    runs = [run(1, "b"), run(2, "a"), run(9, "c-dirty")]
    assert names(earlier_on_line(runs[-1], runs, repository)) == ["run-2", "run-1"]


def test_without_git_nights_go_by_time(tmp_path: Path) -> None:
    runs = [run(1, "b10001"), run(2, "b10002"), run(9, "b10003")]
    nowhere = Repository(tmp_path)
    assert names(earlier_on_line(runs[-1], runs, nowhere)) == ["run-1", "run-2"]
    found = baseline_of(runs[-1], runs, {}, nowhere)
    assert found is not None
    assert "git does not know" in found.how


def test_a_chosen_run_goes_before_the_ancestor_and_can_be_given_back(repository: Repository, tmp_path: Path) -> None:
    runs = [run(1, "a"), run(2, "b"), run(9, "c")]
    choose(tmp_path, "m", "run-1", "release")
    found = baseline_of(runs[-1], runs, chosen(tmp_path), repository)
    assert found is not None
    assert found.run.run == "run-1"
    choose(tmp_path, "m", None)
    found = baseline_of(runs[-1], runs, chosen(tmp_path), repository)
    assert found is not None
    assert found.run.run == "run-2"


def test_a_chosen_run_that_is_gone_is_an_error_with_advice(repository: Repository, tmp_path: Path) -> None:
    choose(tmp_path, "m", "run-77")
    with pytest.raises(ResultError, match="baseline set"):
        baseline_of(run(9, "c"), [run(9, "c")], chosen(tmp_path), repository)


@pytest.mark.parametrize("text", ["{", "[]", '{"m": {"nonsense": 1}}', '{"m": 3}'])
def test_a_damaged_choice_is_an_error_with_advice(text: str, tmp_path: Path) -> None:
    (tmp_path / "baselines.json").write_text(text)
    with pytest.raises(ResultError, match="delete it"):
        chosen(tmp_path)


def test_the_first_night_has_no_baseline(repository: Repository) -> None:
    assert baseline_of(run(1, "a"), [run(1, "a")], {}, repository) is None


def test_commits_are_described_and_those_between_are_listed(repository: Repository) -> None:
    (told,) = repository.described(["b", "unknown"])
    assert (told.commit, told.subject) == ("b", "change b")
    assert [c.subject for c in repository.between("a", "c")] == ["change c", "change b"]
    assert repository.between("a", "unknown") == ()
    assert repository.resolve("--help") == ""


def test_a_machine_without_git_knows_nothing_and_fails_at_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert repository.resolve("a") == ""
    assert repository.ancestors("a") == ()
    assert repository.described(["a"]) == ()
