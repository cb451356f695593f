"""Times within a log follow the clock: a laptop that sleeps, a clock that is set."""

import time

import pytest

from runlore import Store

HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize("hours", [8, -2, 24 * 365 * 56])
def test_times_are_those_of_the_clock_as_it_is_now(store: Store, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """What was logged behind a sleep of 8 h once was 8 h early, and so was the end."""
    clock = time.time_ns
    with store.start_run("slept") as run:
        run.log_metrics({"loss": 1.0})
        monkeypatch.setattr(time, "time_ns", lambda: clock() + hours * HOUR_NS)
        run.log_metrics({"loss": 0.5})
        expected = clock() / 1e9 + hours * 3600
    found = store.run("slept")
    assert float(found.metrics["loss"].times[-1]) / 1e6 == pytest.approx(expected, abs=5)
    assert found.ended is not None
    assert found.ended.timestamp() == pytest.approx(expected, abs=20)


def test_a_clock_that_is_adjusted_a_little_lets_no_time_go_backwards(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.time_ns
    with store.start_run("adjusted") as run:
        for step in range(5):
            monkeypatch.setattr(time, "time_ns", lambda step=step: clock() - step * 10**8)
            run.log_metrics({"loss": 1.0})
    times = store.run("adjusted").metrics["loss"].times
    assert (times[1:] >= times[:-1]).all()
