import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import call, command, environment, fake_config, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with one finished run, and what the command said."""
    folder = tmp_path_factory.mktemp("measured")
    return folder, run("run", fake_config(folder), cwd=folder)


def test_a_run_prints_tables_on_stdout_and_talks_on_stderr(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = measured
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# fake-night")
    assert "| pp64 |" in done.stdout
    assert re.search(r"^4 cases, into results/\S+fake-night\S+$", done.stderr, re.MULTILINE)
    assert re.search(r"^4/4  nothing merge_up_gate=\S+ tg8 +ok$", done.stderr, re.MULTILINE)
    page = re.search(r"^report: (\S+)$", done.stderr, re.MULTILINE)
    assert page
    assert (folder / page[1]).read_text().startswith("<!")
    assert "\x1b" not in done.stdout + done.stderr


def test_show_prints_a_finished_run_in_every_form(measured: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    results = measured[0] / "results"

    def shown(*arguments: str) -> str:
        result = call("show", *arguments, "--results", results)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert re.fullmatch(r"\S+fake-night\S+  \S+  fake-night, 4 cases\n", shown())
    assert shown("fake-night").startswith("# fake-night")
    assert {row["n_prompt"] for row in json.loads(shown("night", "-o", "json"))} == {0, 64}
    assert len([json.loads(line) for line in shown("night", "-o", "jsonl").splitlines()]) == 4
    assert len(shown("night", "-o", "csv").splitlines()) == 5


def test_report_writes_the_page_of_the_newest_run(measured: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = measured
    result = call("report", "--results", folder / "results", "--out", folder / "page")
    assert (result.exit_code, result.stdout) == (0, f"{folder / 'page/index.html'}\n")
    assert (folder / "page/index.html").is_file()


def test_only_and_set_choose_what_is_measured(folder: Path) -> None:
    done = run("run", fake_config(folder), "--only", "tg4", "--set", "tests=[{tg: 4}, {pp: 4}]", "--set", "muge=on",
               "-o", "jsonl", "--results", "kept", cwd=folder)  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["n_gen"], bool(row["muge"])) for row in rows] == [(4, True)]
    (kept,) = (folder / "kept").iterdir()
    info = json.loads((kept / "run.json").read_text())
    assert info["config_text"].startswith("# --set tests=[{tg: 4}, {pp: 4}]\n# --set muge=on\n")
    assert info["command"][:2] == ["harness", "run"]


def test_a_case_that_crashes_costs_itself_and_exit_code_three(folder: Path) -> None:
    script = "{faults: [{kind: segv, at: decode}]}"
    done = run("run", fake_config(folder, script), "-o", "jsonl", "--set", "muge=off", cwd=folder)
    assert done.returncode == 3
    assert {json.loads(line)["n_prompt"] for line in done.stdout.splitlines()} == {64}
    assert re.search(r"tg8 +crashed", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_mistake_in_the_config_runs_nothing(folder: Path) -> None:
    done = run("run", fake_config(folder), "--set", "precision=high", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--set:1:11: precision: expected a share" in done.stderr
    assert not (folder / "results").exists()


def test_a_missing_model_runs_nothing_and_says_how_to_get_it(folder: Path) -> None:
    config = folder / "c.yaml"
    config.write_text("models: {m: {gguf: nowhere.gguf, get: by mail}}\nmatrix: {device: 'cpu:0'}\n")
    done = run("run", config, cwd=folder, HARNESS_MODELS="")
    assert done.returncode == 2
    assert "c.yaml:1:10: models.m: nowhere.gguf is in none of the places searched:" in done.stderr
    assert "get it with: by mail" in done.stderr


def test_resume_measures_what_is_missing_and_nothing_else(folder: Path) -> None:
    config = fake_config(folder)
    only = ("--only", "pp64")
    assert run("run", config, *only, cwd=folder).returncode == 0
    (kept,) = (folder / "results").iterdir()
    records = sorted(kept.glob("case-*.json"))
    before = {path.name: path.read_bytes() for path in records}
    records[1].unlink()
    done = run("run", config, *only, "--resume", kept.name, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "2 cases, 1 of them measured before" in done.stderr
    after = {path.name: path.read_bytes() for path in kept.glob("case-*.json")}
    assert set(after) == set(before)
    assert [name for name in before if after[name] != before[name]] in ([], [records[1].name])


def test_resuming_what_is_no_run_is_a_usage_error(folder: Path) -> None:
    done = run("run", fake_config(folder), "--resume", "yesterday", cwd=folder)
    assert done.returncode == 2
    assert "yesterday: is no run folder" in done.stderr


def test_results_that_cannot_be_written_end_in_a_sentence(folder: Path) -> None:
    (folder / "file").write_text("")
    done = run("run", fake_config(folder), "--results", "file/below", cwd=folder)
    assert done.returncode == 3
    assert "no run folder can be made here" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130_and_the_command_that_goes_on(folder: Path) -> None:
    config = fake_config(folder, "{clock: real, decode_token_ns: 30000000, prefill_token_ns: 3000000}")
    process = subprocess.Popen(
        command("run", config), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((folder / "results").glob("*/case-*.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    (kept,) = (folder / "results").iterdir()
    assert f"go on with: harness run {config} --resume {kept.name}" in stderr
    assert "Traceback" not in stderr


def test_a_terminal_sees_one_line_redrawn_and_no_colour_where_none_is_wanted(folder: Path) -> None:
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        command("run", fake_config(folder), "--only", "off pp64"),
        cwd=folder, stdout=subprocess.DEVNULL, stderr=inner, stdin=inner,
        env={key: value for key, value in environment(NO_COLOR="1", TERM="xterm").items() if key != "CI"},
    )  # fmt: skip
    os.close(inner)
    seen = b""
    while block := _read(outer):
        seen += block
    assert process.wait(60) == 0
    os.close(outer)
    assert b"sample" in seen
    assert not re.search(rb"\x1b\[[0-9;]*[34][0-7]m", seen)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end is closed
        return b""
