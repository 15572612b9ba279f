"""The main job as a new user meets it: installed from a copy of the sources, run on a real model, read back."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from harness.records.json import from_json
from harness.records.record import Record

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "node_modules", "results", "reports", "*.so", "__pycache__", ".*_cache"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the package built from a copy; its dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(ROOT, folder / "source", ignore=LEFT_OUT)
    environment = folder / "venv"
    call([sys.executable, "-m", "venv", str(environment)], folder)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(environment / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    call([*pip, "--force-reinstall", str(folder / "source")], folder)
    return folder


def call(command: list[str], cwd: Path, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env={**clean, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_smollm2_from_install_to_report(installed: Path) -> None:
    harness = str(installed / "venv" / "bin" / "harness")
    (installed / "configs").mkdir()
    shutil.copy(ROOT / "configs" / "smollm2_moe.yaml", installed / "configs")
    shorter = ["--set", "time_budget=12 s", "--set", "tests=[{sweep: {pp: 64, tg: 8, n_kv: 0..64/64}}, {pp: 64}]"]
    table = call(
        [harness, "run", "configs/smollm2_moe.yaml", *shorter], installed, HARNESS_CACHE=str(installed / "cache")
    )
    (page,) = installed.glob("reports/*/index.html")
    records = [from_json(Record, path.read_bytes()) for path in sorted(installed.glob("results/*/case-*.json"))]
    assert {record.status for record in records} == {"ok"}
    assert any(record.case.axes.merge_up_gate for record in records)
    assert all(routed(record) for record in records)
    for speed in speeds(records):
        assert speed in table
        assert speed in page.read_text()


def routed(record: Record) -> bool:
    """Every layer of the mixture has routed to its sixteen experts."""
    return bool(record.expert_counts) and all(len(layer) == 16 and sum(layer) for layer in record.expert_counts)


def speeds(records: list[Record]) -> list[str]:
    """The sweep's PP speeds as the tables print them, recomputed from the raw samples that count."""
    rows = [row for record in records for row in record.rows if record.case.test.kind == "sweep" and row.n_prompt]
    rates = [[s.n_tokens * 1e9 / s.total_ns for s in row.counted] for row in rows]
    assert rates
    return [f"{sum(each) / len(each):.2f}" for each in rates]


def test_the_package_ships_all_it_needs(installed: Path) -> None:
    python = str(installed / "venv" / "bin" / "python")
    where = call([python, "-c", "import harness.core.cpu._native as n; print(n.__file__)"], installed)
    assert re.match(str(installed / "venv"), where)
    site = Path(where).parents[2]
    for data in ("config/schema.json", "core/formats/grids.txt", "core/cuda/kernels/product.cu"):
        assert (site / data).exists(), data
