"""Another build of the harness, as far as a worker needs one: a Python whose fake engine is faster or slower."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_SOURCE = """#!{python} -P
import sys
if "-c" in sys.argv:
    print({commit!r})
    sys.exit()
from harness.engines.fake import FakeEngine
from harness.runner.worker import main
of_this_build = FakeEngine._slowness
FakeEngine._slowness = lambda engine, call, depth: {factor} * of_this_build(engine, call, depth)
{more}
sys.argv = ["worker", sys.argv[-1]]
main()
"""

OtherBuild = Callable[..., str]


@pytest.fixture
def other_build(tmp_path: Path) -> OtherBuild:
    """(commit, factor, more) -> its Python. Its fake takes `factor` times as long; `more` runs before its worker."""

    def made(commit: str, factor: float, more: str = "") -> str:
        path = tmp_path / f"python-of-{commit}"
        path.write_text(_SOURCE.format(python=sys.executable, commit=commit, factor=factor, more=more))
        path.chmod(0o755)
        return str(path)

    return made
