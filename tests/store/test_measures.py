from dataclasses import replace

import pytest
from made_records import record, row, sweep_record

from harness.records.axes import Axes
from harness.records.record import Failure, Record
from harness.store.measures import Measure, measures


def by_name(made: Record) -> dict[tuple[str, str], Measure]:
    return {(m.key.test, m.key.metric): m for m in measures(made)}


def test_a_row_is_one_value_of_a_series_with_the_spread_of_its_samples() -> None:
    (measure,) = measures(record([row(n_prompt=512, times_ms=(10.0, 12.5))]))
    assert (measure.key.test, measure.key.metric, measure.key.unit) == ("pp512", "pp", "t/s")
    assert measure.value == pytest.approx((51200 + 40960) / 2)
    assert measure.n_samples == 2
    assert measure.sd == pytest.approx(7240.77, rel=1e-4)


def test_memory_start_and_energy_have_series_of_their_own() -> None:
    samples = tuple(replace(s, energy_j=12.8) for s in row(n_gen=128).samples)
    made = record(
        [replace(row(n_gen=128), samples=samples)],
        kind="tg",
        load_ns=(2_000_000_000,),
        ttft_ns=500_000_000,
        rss_peak_bytes=3 * 2**20,
    )
    found = by_name(made)
    assert found["tg128", "energy"].value == pytest.approx(0.1)
    assert found["tg128", "start"].value == 2.0
    assert found["tg128", "ttft"].value == 0.5
    assert found["tg128", "rss"].value == 3.0
    assert not found["tg128", "rss"].key.higher_is_better
    assert found["tg128", "rss"].key.metric_note == "rss"


def test_energy_counts_only_where_every_sample_has_it() -> None:
    first, *rest = row(n_gen=128).samples
    made = record([replace(row(n_gen=128), samples=(replace(first, energy_j=1.0), *rest))], kind="tg")
    assert ("tg128", "energy") not in by_name(made)


def test_a_load_test_is_the_load_metric() -> None:
    assert by_name(record([row()], kind="load", load_ns=(10**9, 3 * 10**9)))["load", "load"].value == 2.0


def test_nights_commits_and_builds_are_one_series_and_axes_machines_and_models_are_not() -> None:
    def key(made: Record) -> str:
        return measures(made)[0].key.series_id

    same = record(run="other", test_time="2027", harness_commit="ffff", build_commit="ffff", case_id="other")
    assert key(same) == key(record())
    machine = replace(record().fingerprint, device_class="another")
    others = [
        record(axes=Axes(threads=2, merge_up_gate=True)),
        record(fingerprint=machine),
        record([row(n_prompt=256)]),
    ]
    assert len({key(record()), *map(key, others)}) == 4


def test_automatic_threads_are_the_cores_there_are() -> None:
    assert measures(record(axes=Axes(threads=0)))[0].key == measures(record(axes=Axes(threads=2)))[0].key


def test_a_failed_sweep_fails_every_row_it_would_have_had() -> None:
    ok = {(m.key.test, m.key.series_id) for m in measures(sweep_record())}
    failed = measures(sweep_record(status="timeout", error=Failure("timeout", "after 60 s")))
    assert {(m.key.test, m.key.series_id) for m in failed} == ok
    assert {(m.value, m.state, m.note) for m in failed} == {(None, "failed", "timeout: after 60 s")}


def test_a_row_of_a_sweep_is_no_row_of_a_test_alone() -> None:
    swept = {m.key.test for m in measures(sweep_record(depths=(0,)))}
    assert swept == {"tg32 in a sweep", "pp512 in a sweep"}


def test_fast_and_wrong_is_invalid_and_has_no_value() -> None:
    (measure,) = measures(record(status="invalid", error=Failure("INVALID", "logits differ")))
    assert (measure.value, measure.state) == (None, "invalid")


def test_imported_and_disturbed_sessions_say_so() -> None:
    assert measures(record(imported_from="theirs.json"))[0].state == "imported"
    assert measures(record([row(n_prompt=512, state="throttled")]))[0].state == "throttled"
