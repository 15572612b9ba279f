"""Shares cover everything once, in whole units, as near to the weights as units allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import PlanError
from harness.core.plan.shares import checked_weights, in_runs, share_out

weights = st.lists(st.floats(0, 100), min_size=1, max_size=5).filter(lambda found: sum(found) > 0.01)


@given(total=st.integers(1, 5000), unit=st.integers(1, 300), weights=weights)
def test_shares_cover_everything_once_in_whole_units(total: int, unit: int, weights: list[float]) -> None:
    devices = [f"cpu:{i}" for i in range(len(weights))]
    end = 0
    for share in share_out(total, unit, devices, weights):
        assert (share.first, share.count > 0, share.first % unit) == (end, True, 0)
        end += share.count
    assert end == total


@given(n_units=st.integers(1, 500), weights=weights)
def test_no_device_is_more_than_one_unit_off_its_weight(n_units: int, weights: list[float]) -> None:
    devices = [f"cpu:{i}" for i in range(len(weights))]
    counts = {share.device: share.count for share in share_out(n_units, 1, devices, weights)}
    for device, weight in zip(devices, weights, strict=True):
        assert abs(counts.get(device, 0) - n_units * weight / sum(weights)) < 1 + 1e-9


def test_an_odd_unit_goes_to_the_earlier_device() -> None:
    assert [share.count for share in share_out(768, 256, ("cpu:0", "cpu:1"), (1, 1))] == [512, 256]


def test_more_devices_than_units_leave_some_without_a_share() -> None:
    shares = share_out(768, 256, ("cpu:0", "cpu:1", "cpu:2", "cpu:3"), (1, 1, 1, 1))
    assert [share.device for share in shares] == ["cpu:0", "cpu:1", "cpu:2"]


@pytest.mark.parametrize(
    ("n_items", "weights", "expected"),
    [(5, (1, 1), "aaabb"), (4, (3, 1), "aaab"), (4, (0, 1), "bbbb"), (3, (1, 1, 1), "abc"), (4, (1, 0, 1), "aacc")],
)
def test_layers_are_dealt_in_runs(n_items: int, weights: tuple[float, ...], expected: str) -> None:
    assert "".join(in_runs(n_items, "abc"[: len(weights)], weights)) == expected


@pytest.mark.parametrize(
    ("given_split", "says"),
    [
        ((1.0,), "1 numbers for 2 devices"),
        ((1.0, -1.0), "none negative"),
        ((0.0, 0.0), "at least one above 0"),
    ],
)
def test_a_tensor_split_that_cannot_be_is_a_sentence(given_split: tuple[float, ...], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        checked_weights(given_split, 2)
