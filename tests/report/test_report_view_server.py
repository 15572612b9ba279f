"""Reports served to this machine only, fresh after every change, and nothing but reports."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import made_runs as made
import pytest

from harness.report.view_server import Source, folder_state, server

RECORDS = made.pair(tests=made.TESTS[1:])


class Runs:
    """Two runs in memory; `version` changes the state."""

    def __init__(self) -> None:
        self.version = 0
        self.reads = 0

    def read(self, name: str) -> object:
        self.reads += 1
        if name == "broken":
            raise ValueError("not a record\x1b[0m")
        return made.info(RECORDS), RECORDS, ()

    def source(self) -> Source:
        return Source(lambda: ["new run & more", "broken"], self.read, lambda name: f"{name}{self.version}")  # type: ignore[arg-type]


@contextmanager
def serving(runs: Runs) -> Iterator[http.client.HTTPConnection]:
    made_server = server(runs.source())
    thread = threading.Thread(target=made_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", made_server.server_port, timeout=20)
    try:
        yield connection
    finally:
        connection.close()
        made_server.shutdown()
        thread.join()
        made_server.server_close()


def get(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def test_it_listens_on_loopback_alone() -> None:
    made_server = server(Runs().source())
    try:
        assert made_server.server_address[0] == "127.0.0.1"
    finally:
        made_server.server_close()


def test_the_list_leads_to_a_live_report_that_may_ask_only_its_own_server() -> None:
    with serving(Runs()) as connection:
        status, text, _ = get(connection, "/")
        assert (status, '<a href="/run/new%20run%20%26%20more">new run &amp; more</a>' in text) == (200, True)
        status, text, headers = get(connection, "/run/new%20run%20%26%20more")
    assert status == 200
    assert "connect-src &#39;self&#39;" in text
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"


def test_a_page_is_made_again_only_when_its_run_has_changed() -> None:
    runs = Runs()
    with serving(runs) as connection:
        path = "/run/new%20run%20%26%20more"
        get(connection, path)
        get(connection, path)
        assert runs.reads == 1
        before = get(connection, path.replace("run", "state", 1))[1]
        runs.version = 1
        assert get(connection, path.replace("run", "state", 1))[1] != before
        get(connection, path)
        assert runs.reads == 2


@pytest.mark.parametrize(
    "path",
    ["/run/../../etc/passwd", "/run/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/run/other", "/etc/passwd", "/state/", "/run"],
)
def test_a_path_that_names_no_run_is_not_found(path: str) -> None:
    with serving(Runs()) as connection:
        assert get(connection, path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "0.0.0.0:1", ""])
def test_a_request_to_another_name_is_refused(host: str) -> None:
    with serving(Runs()) as connection:
        assert get(connection, "/", Host=host)[0] == 403


def test_nothing_can_be_posted() -> None:
    with serving(Runs()) as connection:
        connection.request("POST", "/", b"x")
        assert connection.getresponse().status == 501


def test_a_run_that_cannot_be_read_is_said_so_and_the_server_goes_on() -> None:
    with serving(Runs()) as connection:
        status, text, _ = get(connection, "/run/broken")
        assert (status, text) == (500, "broken cannot be shown: not a record\\x1b[0m\n")
        assert get(connection, "/")[0] == 200


def test_a_folders_state_changes_with_its_files(tmp_path: Path) -> None:
    empty = folder_state(tmp_path)
    (tmp_path / "case-1.json").write_text("{}")
    one = folder_state(tmp_path)
    assert len({empty, one}) == 2
    assert folder_state(tmp_path) == one
