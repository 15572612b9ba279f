"""Made-up records for the store's tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, StandIn, Test, TestKind
from harness.records.record import Fingerprint, Record
from harness.records.timing import LoadReport, Row, Sample


def row(
    n_prompt: int = 0,
    n_gen: int = 0,
    depth: int = 0,
    times_ms: tuple[float, ...] = (10.0, 11.0, 12.0),
    state: str = "ok",
) -> Row:
    samples = tuple(
        Sample(start_ns=i * 10**9, total_ns=round(ms * 1e6), n_tokens=n_prompt + n_gen, state=state)
        for i, ms in enumerate(times_ms)
    )
    return Row(n_prompt=n_prompt, n_gen=n_gen, n_depth=depth, samples=samples)


def record(
    rows: Sequence[Row] | None = None,
    *,
    axes: Axes | None = None,
    kind: TestKind = "pp",
    model: ModelRef | None = None,
    run: str = "2026-01-01-a",
    case_id: str = "case-1",
    **changes: Any,
) -> Record:
    rows = (row(n_prompt=512),) if rows is None else tuple(rows)
    test = Test(
        kind=kind,
        n_prompt=max((r.n_prompt for r in rows), default=0),
        n_gen=max((r.n_gen for r in rows), default=0),
        depths=tuple(sorted({r.n_depth for r in rows})) or (0,),
    )
    case = Case(
        case_id=case_id,
        config="smoke",
        model=model or ModelRef(name="gpt-oss-20b", path="models/gpt-oss-20b.gguf"),
        axes=axes or Axes(threads=2),
        test=test,
        sampling=Sampling(),
    )
    made = Record(
        case=case,
        status="ok",
        run=run,
        test_time="2026-01-01T02:03:04+00:00",
        rows=rows,
        load=LoadReport(
            phase_ns={"open": 1},
            model_type="gpt-oss 20B MXFP4",
            model_size=12_109_566_624,
            model_n_params=20_914_757_184,
            n_layers=24,
            n_vocab=201_088,
        ),
        fingerprint=Fingerprint(cpu_info="Example CPU", n_cores=2, device_class="example/2"),
        harness_commit="0123abcd",
        build_commit="0123abcd",
        build_number=7,
    )
    return replace(made, **changes)


def stand_in_record(**kwargs: Any) -> Record:
    model = ModelRef(name="gpt-oss-20b", stand_in=StandIn(preset="gpt-oss-20b", layers=4))
    return record(model=model, **kwargs)


def sweep_record(depths: tuple[int, ...] = (0, 512, 1024), **kwargs: Any) -> Record:
    rows = [
        r
        for i, d in enumerate(depths)
        for r in (row(n_gen=32, depth=d, times_ms=(100.0 + i,)), row(n_prompt=512, depth=d, times_ms=(50.0 + i,)))
    ]
    return record(rows, kind="sweep", **kwargs)
