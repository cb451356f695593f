"""Curves as screens show them: thinned without losing peaks, and several as a band."""

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore import Store
from runlore.analysis.curves import Curve, band_of, curve_of, smoothed, thin
from runlore.analysis.statistics import summarise

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=400)


@given(VALUES, st.integers(10, 60))
def test_thinning_keeps_ends_extremes_and_gaps(values: list[float], most: int) -> None:
    array = np.array(values, dtype=np.float64)
    chosen = thin(array, most)
    assert (np.diff(chosen) > 0).all()
    kept = array[chosen]
    if len(values) <= most:
        assert chosen.tolist() == list(range(len(values)))
        return
    assert len(chosen) <= 1.5 * most + 5
    assert chosen[0] == 0
    assert chosen[-1] == len(values) - 1
    if not np.isnan(array).all():
        assert np.nanmin(kept) == np.nanmin(array)
        assert np.nanmax(kept) == np.nanmax(array)
    assert np.isnan(kept).any() == np.isnan(array).any()


@given(st.integers(100, 3000), st.integers(10, 200), st.data())
def test_a_single_peak_is_never_lost(count: int, most: int, data: Any) -> None:
    place = data.draw(st.integers(0, count - 1))
    values = np.sin(np.arange(count) / 50)
    values[place] = 9.0
    assert place in thin(values, most)


@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf]), max_size=300), st.floats(0.01, 0.999))
def test_smoothing_is_the_debiased_moving_average_of_the_points_so_far(values: list[float], weight: float) -> None:
    total = counted = 0.0
    expected = []
    for value in values:
        if math.isfinite(value):
            total, counted = total * weight + value, counted * weight + 1
            value = total / counted
        expected.append(value)
    np.testing.assert_allclose(smoothed(np.array(values), weight), expected, rtol=1e-9, atol=1e-7)


def curve(x: list[float], y: list[float]) -> Curve:
    return Curve(np.array(x, dtype=np.float64), np.array(y, dtype=np.float64), len(x))


def test_a_band_is_mean_and_deviation_of_what_is_there() -> None:
    band = band_of([curve([0, 1, 2], [1.0, 2.0, 3.0]), curve([0, 1, 2, 3], [3.0, 4.0, 5.0, 9.0])])
    assert band.x.tolist() == [0, 1, 2, 3]
    assert band.mean.tolist() == [2, 3, 4, 9]
    assert band.deviation.tolist() == pytest.approx([math.sqrt(2)] * 3 + [0])
    assert band.count.tolist() == [2, 2, 2, 1]


def test_a_band_has_the_interval_of_its_mean_and_the_ends_of_its_curves() -> None:
    band = band_of([curve([0, 1], [1.0, 2.0]), curve([0, 1], [3.0, 4.0]), curve([0, 1, 2], [8.0, 0.0, 5.0])])
    assert band.median.tolist() == [3, 2, 5]
    assert (band.low.tolist(), band.high.tolist()) == ([1, 0, 5], [8, 4, 5])
    _, _, interval = summarise([1.0, 3.0, 8.0])
    assert interval is not None
    assert band.mean[0] - band.interval[0] == pytest.approx(interval[0])
    assert band.mean[0] + band.interval[0] == pytest.approx(interval[1])
    assert band.interval[2] == 0


def test_curves_of_a_band_are_straight_between_their_places() -> None:
    band = band_of([curve([0, 10], [0.0, 10.0]), curve([0, 5, 10], [0.0, 1.0, 2.0])])
    assert band.x.tolist() == [0, 5, 10]
    assert band.mean.tolist() == [0, 3, 6]


def test_a_band_leaves_out_what_is_not_finite() -> None:
    band = band_of([curve([0, 1, 2], [1.0, math.nan, 3.0]), curve([0, 1], [math.inf, 4.0]), curve([], [])])
    assert band.x.tolist() == [0, 1, 2]
    assert band.mean.tolist() == [1, 3, 3]
    assert band_of([]).x.tolist() == []
    assert band_of([curve([1], [math.nan])]).mean.tolist() == []


def test_a_band_of_many_places_has_a_few() -> None:
    places = np.linspace(0, 1, 5000)
    band = band_of([Curve(places, places, 5000), Curve(places + 1e-5, places, 5000)], most=100)
    assert len(band.x) <= 100
    assert band.mean == pytest.approx(band.x, abs=1e-3)


def test_a_closer_look_has_a_neighbour_on_either_side(store: Store) -> None:
    with store.start_run("a") as run:
        for step in range(0, 100, 10):
            run.log_metrics({"loss": float(step)}, step)
    found = store.run("a")
    for begin, end, expected in (
        (25, 55, [20, 30, 40, 50, 60]),
        (None, 15, [0, 10, 20]),
        (85, None, [80, 90]),
        (200, 300, [90]),
        (-9, -5, [0]),
        (30, 30, [20, 30, 40]),
    ):
        assert curve_of(found, "loss", begin=begin, end=end).x.tolist() == expected


def test_a_curve_along_epochs_leaves_out_points_without_one(store: Store) -> None:
    with store.start_run("a") as run:
        run.log_metrics({"loss": 1.0}, 0, epoch=2)
        run.log_metrics({"loss": 2.0}, 1)
        run.log_metrics({"loss": 3.0}, 2, epoch=1)  # a clock that was set back, say
    found = curve_of(store.run("a"), "loss", "epoch")
    assert (found.x.tolist(), found.y.tolist(), found.whole) == ([1, 2], [3, 1], True)


def test_a_metric_lies_along_another_one(store: Store) -> None:
    with store.start_run("a") as run:
        run.log_metrics({"loss": 9.0}, 0)  # before the first value of the other
        run.log_metrics({"tokens": 100.0, "loss": 4.0}, 1)
        run.log_metrics({"loss": 3.0}, 2)  # the last value counts
        run.log_metrics({"tokens": math.inf, "loss": 2.5}, 3)
        run.log_metrics({"tokens": 50.0, "loss": 2.0}, 4)
    recorded = store.run("a")
    found = curve_of(recorded, "loss", "metric:tokens")
    assert (found.x.tolist(), found.y.tolist(), found.whole) == ([50, 100, 100], [2, 4, 3], True)
    assert curve_of(recorded, "loss", "metric:tokens", begin=90).x.tolist() == [50, 100, 100], (
        "one point beyond the end"
    )
    assert not len(curve_of(recorded, "loss", "metric:lr").x), "a run without that metric"
    for axis in ("tokens", "metric:", ""):
        with pytest.raises(ValueError, match=re.escape(f"x is {axis!r}")):
            curve_of(recorded, "loss", axis)


def test_a_metric_that_was_never_logged_is_an_empty_curve(store: Store) -> None:
    with store.start_run("a") as run:
        run.log_metrics({"loss": math.nan}, 0)
    found = curve_of(store.run("a"), "loss")
    assert np.isnan(found.y).tolist() == [True]
