"""Figures as files, and the report on a terminal."""

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import made_runs as made
import pytest
from matplotlib import rcParams
from rich.console import Console

from harness.report.plot import file_name, write_plots
from harness.report.terminal import show_run, sparkline

SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> str:
    return "\n".join("".join(element.itertext()) for element in ET.parse(path).iter(f"{SVG}text"))


def test_a_plot_says_what_was_measured_where_and_which_curve_is_which(tmp_path: Path) -> None:
    (path,) = write_plots(made.pair(tests=(made.SWEEP,)), tmp_path, "svg")
    told = texts(path)
    for part in ("stand-in: gpt-oss-20b", "AMD EPYC 7763", "merge off", "merge on", "PP t/s", "TG t/s", "N_KV"):
        assert part in told


def test_published_curves_are_named_as_published_by_others(tmp_path: Path) -> None:
    (path,) = write_plots(made.pair(tests=(made.SWEEP,)), tmp_path, "svg", ("ik-1137",))
    assert "published by others: model and merge not known (ik-1137), 1x RTX 3090, full offload" in texts(path)


def test_a_png_is_a_picture_and_the_same_every_time(tmp_path: Path) -> None:
    records = made.pair(tests=(made.SWEEP,))
    first, second = (write_plots(records, tmp_path / name)[0].read_bytes() for name in "ab")
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == second


def test_drawing_leaves_matplotlibs_settings_alone(tmp_path: Path) -> None:
    before = {name: rcParams[name] for name in rcParams if name != "backend"}  # asking for it would choose one
    write_plots(made.pair(tests=(made.SWEEP,)), tmp_path)
    assert {name: rcParams[name] for name in before} == before


def test_nothing_measured_gives_no_file(tmp_path: Path) -> None:
    assert write_plots((made.failed(made.record()),), tmp_path) == ()


@pytest.mark.parametrize("title", ["../../etc/passwd", "a/b", "..", "", "con\0nul", "x" * 500])
def test_a_files_name_cannot_leave_its_folder(title: str) -> None:
    name = file_name(title)
    assert name
    assert len(name) <= 60
    assert not set(name) & set("/\\.\0")


def on_terminal(width: int, records: object = None) -> str:
    out = io.StringIO()
    show_run(records or made.four_cells(tests=made.TESTS), Console(file=out, width=width, force_terminal=False))  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_figure_is_cut_on_a_narrow_terminal(width: int) -> None:
    wide, narrow = on_terminal(4000).split(), on_terminal(width).split()
    figures = {word for word in wide if word[0].isdigit() or word[0] in "×["}
    assert figures <= set(narrow)
    assert max(map(len, on_terminal(width).splitlines())) <= width


def test_a_terminal_without_colour_still_tells_variants_and_verdicts_apart() -> None:
    told = on_terminal(100)
    assert "\x1b" not in told
    assert "Merging makes PP" in told
    assert all(f"{mark} merge" in told for mark in "●■▲◆")


def test_a_failed_case_is_told_on_a_terminal() -> None:
    told = on_terminal(160, (made.record(), made.failed(made.record(made.TESTS[1]))))
    assert "crashed" in told
    assert "killed by signal 11" in told


def test_small_charts_share_one_scale() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 0, 7) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, 3.5], 0, 7) == "▁▅"
    assert sparkline([2, 2], 2, 2) == "▄▄"
