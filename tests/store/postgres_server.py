"""A real PostgreSQL server for a test: Debian's, on loopback, in a folder of its own, never as root."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

INSTALL = "PostgreSQL's server is missing: apt-get install -y postgresql"


def binaries() -> Path:
    """The folder of initdb and postgres. Errors: RuntimeError with the command that installs them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise RuntimeError(INSTALL)
    return (found[-1] if found else Path(str(on_path))).resolve().parent


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of a running, empty server."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the socket's path must be short
    user = _user()
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield from _run(folder, None if user is None else user.pw_uid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> pwd.struct_passwd | None:
    """Whom to become: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("no user to run PostgreSQL as")


def _run(folder: Path, user: int | None) -> Iterator[str]:
    tools, data = binaries(), folder / "data"
    flags = ["-D", str(data), "-U", "harness", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([tools / "initdb", *flags], user=user, check=True, capture_output=True, cwd=folder)
    port = _free_port()
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p", str(port), "-k", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [tools / "postgres", "-D", data, *settings], user=user, stdout=log, stderr=log, cwd=folder
        )
    try:
        url = f"postgresql://harness@127.0.0.1:{port}/postgres"
        _wait(url, process, folder / "log")
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {log.read_text()}")
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()}")
