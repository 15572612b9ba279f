from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import server
from sqlalchemy import text

from harness.store.database import connect


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: a file, and a schema of a real server."""
    if request.param == "sqlite":
        return str(tmp_path / "index.sqlite")
    url = str(request.getfixturevalue("postgres"))
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url
