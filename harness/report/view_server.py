"""Reports served while a run goes on: a page reloads when its run's folder changes. Only to this machine.

Binds to 127.0.0.1 and answers only requests addressed to it by that name, so that no page of the web can read results
through a name of its own that resolves here. Nothing is ever written, and a path is never made from a request.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from harness.records.profile import CaseProfile
from harness.records.record import Record, RunInfo
from harness.report.document import run_document
from harness.report.html import render, render_template
from harness.report.text import one_line

HOST = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Source:
    """Where runs come from: their names, newest first; one run; and a text that changes when a run does."""

    names: Callable[[], Sequence[str]]
    read: Callable[[str], tuple[RunInfo, Sequence[Record], Sequence[CaseProfile]]]
    state: Callable[[str], str]


def server(source: Source, port: int = 0) -> ThreadingHTTPServer:
    """A server that is bound but not yet serving; `server_address` has its port. Errors: OSError for a taken port."""
    page = lru_cache(maxsize=4)(lambda name, state: _run_page(source, name, state))

    class Handler(_Handler):
        runs = source
        cached = staticmethod(page)

    made = ThreadingHTTPServer((HOST, port), Handler)
    Handler.names = frozenset({f"{HOST}:{made.server_port}", f"localhost:{made.server_port}"})
    return made


def folder_state(folder: Path) -> str:
    """A digest of names, sizes and times of a run's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.json")):
        try:
            found = path.stat()
        except FileNotFoundError:  # replaced at this moment; the next look sees it
            continue
        digest.update(f"{path.name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _run_page(source: Source, name: str, state: str) -> str:
    """`state` is older than what is read here, never newer: a page asks once too often rather than not at all."""
    info, records, profiles = source.read(name)
    return render(run_document(info, records, profiles=profiles), state)


class _Handler(BaseHTTPRequestHandler):
    """GET / lists runs, /run/NAME is a report, /state/NAME its state. Everything else is not here."""

    runs: Source
    cached: Callable[[str, str], str]
    names: frozenset[str]
    server_version = "harness"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._addressed_to_us():
            self._answer(HTTPStatus.FORBIDDEN, "This server answers only to 127.0.0.1.\n", "text/plain")
            return
        kind, _, rest = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        if not kind:
            self._answer(HTTPStatus.OK, self._index(), "text/html")
        elif kind in {"run", "state"} and rest in self.runs.names():
            self._answer_run(kind, rest)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "There is no such page; / lists the runs.\n", "text/plain")

    def _answer_run(self, kind: str, name: str) -> None:
        state = self.runs.state(name)
        if kind == "state":
            self._answer(HTTPStatus.OK, state, "text/plain")
            return
        try:
            self._answer(HTTPStatus.OK, self.cached(name, state), "text/html")
        except Exception as error:  # noqa: BLE001  a run that cannot be read must not end the server
            self._answer(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"{name} cannot be shown: {one_line(str(error))}\n", "text/plain"
            )

    def _index(self) -> str:
        runs = [(name, quote(name, safe="")) for name in self.runs.names()]
        return render_template("index.html.jinja", ("page.js",), "Runs · harness", runs=runs)

    def _addressed_to_us(self) -> bool:
        return self.headers.get("Host", "") in self.names

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Standard error is for people; a line per request is not."""
