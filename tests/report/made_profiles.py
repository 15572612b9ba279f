"""Profiles as a run would leave them: cells of merge × fuse × path whose times and counts follow from a few numbers."""

from itertools import product

from made_runs import GPT_OSS

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test
from harness.records.profile import CaseProfile, OpTime, RowProfile

ALL = tuple(product((False, True), (False, True), ("per_expert", "grouped")))
"""(merge, fuse, path)."""
SAVES_NS = {"merge": 50_000, "fuse": 200_000, "path": 1_000_000}
DRIFT_NS = (0, 7_000, 3_000, 12_000, 5_000, 1_000)
"""Added to every cell alike, round by round: what pairing takes out."""


def op(name: str, layer: int, runs_ns: tuple[int, ...], **counts: float) -> OpTime:
    """One operation that took `runs_ns`."""
    median_ns = sorted(runs_ns)[len(runs_ns) // 2]
    return OpTime(name, layer, 1, median_ns, 8e6, 4e6, runs_ns=runs_ns, **counts)  # type: ignore[arg-type]


def cell(
    merge: bool,
    fuse: bool,
    path: str,
    *,
    model: ModelRef = GPT_OSS,
    test: Test | None = None,
    n_runs: int = 6,
    ubatch: int = 512,
    disturbed: bool = False,
) -> CaseProfile:
    """Two layers of attention and up/gate; up/gate saves what its choices save, and attention nothing."""
    test = test or Test("pp", 64)
    saved = merge * SAVES_NS["merge"] + fuse * SAVES_NS["fuse"] + (path == "grouped") * SAVES_NS["path"]
    launches = (1 if fuse else 3 - merge) * (32 if path == "per_expert" else 1)
    up_gate = tuple(4_000_000 - saved + drift for drift in DRIFT_NS[:n_runs])
    attention = tuple(900_000 + drift // 2 for drift in DRIFT_NS[:n_runs])
    ops = tuple(
        found
        for layer in range(2)
        for found in (
            op("attention", layer, attention, launches=1),
            op("moe_up_gate", layer, up_gate, launches=launches, tiles=46 - merge, activation_bytes=6e6 - fuse * 2e6),
        )
    )
    plain = tuple(2 * (a + b) + 1_000 for a, b in zip(up_gate, attention, strict=True))
    axes = Axes(merge_up_gate=merge, fused_moe=fuse, moe_path=path, ubatch=ubatch)
    case = Case(f"{model.name}-{test.label}-{merge}{fuse}{path}{ubatch}", "made", model, axes, test, Sampling())
    row = RowProfile(test.label, 64, n_runs, sorted(plain)[n_runs // 2], ops, plain, disturbed)
    return CaseProfile(case, (row,))


def cube(test: Test | None = None) -> tuple[CaseProfile, ...]:
    """All eight cells."""
    return tuple(cell(*choices, test=test) for choices in ALL)
