"""Results as a table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from made_records import record, row, stand_in_record, sweep_record

import harness
from harness.records.axes import Axes
from harness.records.record import Equivalence, Failure, RunInfo
from harness.records.timing import Row, Sample
from harness.stats.interval import mean_interval
from harness.store.frame import frame
from harness.store.runs import create_run, write_info, write_record


def test_a_row_per_measurement_under_llama_benchs_names() -> None:
    table = frame([sweep_record(), record(axes=Axes(threads=2, merge_up_gate=True))])
    assert table["test"].tolist()[:2] == ["tg", "pp512"] or table["test"].tolist()[1] == "pp512"
    assert len(table) == 7
    assert table["muge"].tolist() == [False] * 6 + [True]
    for name in ("n_prompt", "n_gen", "n_depth", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "n_threads", "mqkv"):
        assert name in table.columns


def test_rates_and_their_interval_are_those_of_the_counted_samples() -> None:
    samples = (
        Sample(0, 90, 512, "warmup"),
        *(Sample(0, ns, 512) for ns in (10, 11, 12)),
        Sample(0, 50, 512, "contended"),
    )
    line = frame([record([Row(512, 0, 0, samples, "precision")])]).iloc[0]
    rates = [512e9 / ns for ns in (10, 11, 12)]
    interval = mean_interval(rates, 0.95)
    assert (line.n_samples, line.n_excluded) == (3, 2)
    assert np.isclose(line.avg_ts, np.mean(rates))
    assert np.isclose(line.stddev_ts, np.std(rates, ddof=1))
    assert np.allclose([line.ts_low, line.ts_high], [interval.low, interval.high])
    assert line.samples_ns == (10, 11, 12)


def test_a_failed_case_has_a_row_that_says_so_and_no_rate() -> None:
    failed = record([], status="crashed", error=Failure("Crash", "ended by SIGSEGV"), case_id="x")
    table = frame([record(), failed])
    line = table.iloc[1]
    assert (line.status, line.error) == ("crashed", "ended by SIGSEGV")
    assert np.isnan(line.avg_ts)
    assert table.iloc[0].status == "ok"


def test_an_invalid_case_shows_no_speed_even_if_it_has_samples() -> None:
    line = frame([record(status="invalid", equivalence=Equivalence("INVALID"))]).iloc[0]
    assert line.equivalence == "INVALID"
    assert "avg_ts" not in line or np.isnan(line.avg_ts)


def test_a_load_has_a_time_and_no_rate() -> None:
    loads = replace(record([row(times_ms=(3.0, 5.0))]), load_ns=(3_000_000, 5_000_000))
    line = frame([loads, record()]).iloc[0]
    assert (line.test, line.avg_ns, line.load_ns) == ("load", 4_000_000, 5_000_000)
    assert np.isnan(line.avg_ts)


def test_a_stand_in_is_never_called_the_model() -> None:
    line = frame([stand_in_record()]).iloc[0]
    assert line.stand_in
    assert "stand-in" in line.model
    assert "stand-in" in line.model_type


def test_one_sample_has_a_rate_and_an_open_interval() -> None:
    line = frame([record([row(512, times_ms=(4.0,))])]).iloc[0]
    assert np.isinf(line.ts_low)
    assert line.avg_ts == 128_000


def test_harness_load_reads_a_run_folder(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "smoke")
    write_info(folder, RunInfo(folder.name, "smoke", "", (), "2026-01-01T00:00:00+00:00", (record().case,)))
    write_record(folder, record())
    assert harness.load(str(folder)).test.tolist() == ["pp512"]


def test_no_records_are_an_empty_table() -> None:
    assert frame([]).empty
