"""Times within a log follow the clock: a laptop that sleeps, a clock that is set."""

import time

import pytest

from runlore import Store
from runlore.analysis.tables import read_table
from runlore.recording.starting import StartRequest, start

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


def test_a_duration_counts_what_ran(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the machine's sleep, nor a clock that was set, nor the pause before a run goes on."""
    clock = time.time_ns
    store.start_run("paused").finish("failed")
    monkeypatch.setattr(time, "time_ns", lambda: clock() + 8 * HOUR_NS)
    with store.start_run(resume="paused"):
        monkeypatch.setattr(time, "time_ns", lambda: clock() - 8 * HOUR_NS)
    with store.start_run("slept"):
        monkeypatch.setattr(time, "time_ns", lambda: clock() + 8 * HOUR_NS)
    monkeypatch.undo()
    for name in ("paused", "slept"):
        found = store.run(name)
        assert found.duration is not None
        assert 0 <= found.duration < 120, name
        assert store.runs(f"duration < 120 and name == {name!r}")[0].id == found.id
        (row,) = read_table(store, f"name == {name!r}").rows
        assert row.duration == found.duration


def test_the_duration_of_a_run_that_is_recorded_afterwards_is_that_of_what_it_tells(store: Store) -> None:
    start(store.folder, StartRequest(name="told", lasted=100.0)).finish()
    assert store.run("told").duration == pytest.approx(100, abs=20)
