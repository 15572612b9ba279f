"""Forty hostile strings in every text field: nothing becomes markup, nothing is lost."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import made_history
import made_profiles
import made_runs as made
import pytest
from made_hostile import HOSTILE, poisoned
from markdown_it import MarkdownIt
from rich.console import Console

from harness.records.profile import CaseProfile
from harness.records.record import Record, RunInfo
from harness.records.timing import Row
from harness.report import figures
from harness.report.document import gain_sections, run_document
from harness.report.html import render
from harness.report.markdown import BREAK, run_markdown, section_markdown
from harness.report.nightly import render_history
from harness.report.plot import plot
from harness.report.terminal import show_run
from harness.report.text import clean, one_line
from harness.report.variants import groups

PP, TG = made.Test("pp", n_prompt=512), made.Test("tg", n_gen=32)


class Parsed(HTMLParser):
    """The elements of a page in order, and all of its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links |= {value or "" for name, value in attrs if name in {"href", "src"}}
        self.text += [value for name, value in attrs if value and name in {"aria-label", "value"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def short(record: Record) -> Record:
    """The record with few samples: what is tested is text."""
    rows = tuple(replace(row, samples=row.samples[:4]) for row in record.rows)
    return replace(record, rows=rows)


@cache
def run(text: str) -> tuple[RunInfo, tuple[Record, ...]]:
    """A run with everything in it, `text` in every field; the two sides differ in the merge."""
    own = tuple(map(short, made.pair(tests=(PP, TG))))
    others = [replace(record, case=replace(record.case, test=made.TESTS[0])) for record in own[:3]]
    all_of_it = (*own, made.failed(others[0]), made.invalid(others[1]), others[2])
    *records, foreign = (poisoned(record, text) for record in all_of_it)
    return poisoned(made.info(own), text), (*records, made.imported(foreign, text))


def profiles(text: str) -> tuple[CaseProfile, ...]:
    """Two cells that differ in the merge."""
    cells = (made_profiles.cell(merge, True, "grouped") for merge in (False, True))
    return tuple(poisoned(cell, text) for cell in cells)


def test_a_profiles_section_has_no_markup_but_ours_whatever_the_texts_say() -> None:
    parse = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse

    def kinds(text: str) -> list[str]:
        (section,) = gain_sections((), profiles(text))
        return [token.type for token in _tokens(parse(section_markdown(section)))]

    structure = {kind for kind in kinds("harmless") if not kind.startswith(("text", "softbreak"))}
    for text in HOSTILE:
        assert set(kinds(text)) - {"text", "text_special", "softbreak"} == structure, text


def test_the_run_of_these_tests_has_every_section() -> None:
    document = run_document(*run("harmless"), profiles=profiles("harmless"))
    (part,) = document.parts
    assert len(part.legend) == 2
    assert part.headlines[0].verdicts
    expected = {
        "sweep",
        "tests",
        "curves",
        "loading",
        "latency",
        "limits",
        "energy",
        "memory",
        "merges",
        "equivalence",
        "experts",
    }
    assert {section.key.partition("-")[2] for section in part.sections} == expected
    assert {section.key for section in document.sections} >= {
        "why",
        "outcome",
        "imported",
        "machine",
        "noise",
        "samples",
        "repeat",
    }
    assert page("harmless").count("harmless") > 100


def page(text: str) -> str:
    return render(run_document(*run(text), profiles=profiles(text)))


@cache
def harmless() -> tuple[list[tuple[str, tuple[str, ...]]], set[str]]:
    parsed = Parsed(page("harmless"))
    return parsed.elements, parsed.links


def test_there_are_forty_different_ones() -> None:
    assert len(set(HOSTILE)) == 40


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_has_the_same_elements_whatever_the_texts_say(text: str) -> None:
    parsed = Parsed(page(text))
    assert (parsed.elements, parsed.links) == harmless()
    assert one_line(text) in " ".join(parsed.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_has_no_markup_but_ours_whatever_the_texts_say(text: str) -> None:
    tokens = list(
        _tokens(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(run_markdown(run(text)[1])))
    )
    html = {token.content.strip() for token in tokens if token.type.startswith("html")}
    assert all(re.fullmatch(r"(</?details>|<summary>[^<>]*</summary>|\s)*", content) for content in html)
    kinds = {token.type for token in tokens}
    assert not kinds & {"link_open", "image", "em_open", "s_open", "code_inline", "blockquote_close"} - {
        "blockquote_close"
    }
    shown = "".join(token.content for token in tokens if token.type in {"text", "text_special"}).replace(BREAK, "")
    assert one_line(text).split("\\n")[0].strip() in shown


def _tokens(tokens: list[object]) -> Iterator[object]:
    for token in tokens:
        yield token
        yield from _tokens(getattr(token, "children", None) or [])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_gets_no_control_sequence_but_ours(text: str) -> None:
    out = io.StringIO()
    show_run(
        run(text)[1], Console(file=out, force_terminal=True, color_system="truecolor", width=4000, legacy_windows=False)
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", plain)
    assert one_line(text) in plain


@pytest.mark.parametrize("text", HOSTILE)
def test_the_nightly_page_has_the_same_elements_whatever_the_texts_say(text: str) -> None:
    def parsed(words: str) -> Parsed:
        history = made_history.history(4, 3)
        keep = [(s.verdict, [p.state for p in s.points]) for s in history.series]
        spoilt = poisoned(history, words)
        series = tuple(
            replace(
                s,
                verdict=verdict,
                points=tuple(replace(p, state=state) for p, state in zip(s.points, states, strict=True)),
            )
            for s, (verdict, states) in zip(spoilt.series, keep, strict=True)
        )
        return Parsed(render_history(replace(spoilt, series=series)))

    hostile, tame = parsed(text), parsed("harmless")
    assert (hostile.elements, hostile.links) == (tame.elements, tame.links)
    assert one_line(text) in " ".join(hostile.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_plot_draws_any_name_as_text(text: str) -> None:
    _, records = run(text)
    (group,) = groups(tuple(map(clean, records)))
    figure = plot(group, one_line(text))
    assert figure is not None
    drawn = ET.fromstring(figures.image(figure, "svg"))
    texts = ["".join(e.itertext()) for e in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any(one_line(text) in shown for shown in texts)


def test_rows_of_one_sample_and_of_none_are_no_error() -> None:
    record = made.record(PP)
    single = replace(record, rows=(replace(record.rows[0], samples=record.rows[0].samples[1:2]),))
    empty = replace(record, rows=(Row(512, 0, 0, ()),))
    for records in ((single,), (empty,), (replace(record, rows=(), load=None, load_ns=()),), ()):
        render(run_document(made.info(records), records))
