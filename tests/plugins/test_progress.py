"""The progress line: at its interval, and with the latest metrics."""

from collections.abc import Callable

import pytest

from runlore import RunloreWarning, Store
from runlore.hookspecs import LoggedPoints, RunInfo
from runlore.plugins.manager import Plugins
from runlore.plugins.progress import ProgressLine
from tests.process import Process

Python = Callable[..., Process]


def points(key: str, steps: list[int], values: list[float]) -> LoggedPoints:
    return LoggedPoints(key, None, steps, [None] * len(steps), [0.0] * len(steps), values)


def test_the_progress_line_comes_at_its_interval_and_not_for_short_runs(store: Store) -> None:
    now = [100.0]
    lines: list[str] = []
    progress = ProgressLine(60, lines.append, lambda: now[0])
    run = RunInfo("1", "wise-koala", "e", None, store.root, 100.0)
    progress.runlore_points_logged(run, [points("loss", [0, 1], [2.0, 1.0])])
    assert lines == []
    for moment in (130.0, 161.0, 170.0, 222.0):
        now[0] = moment
        progress.runlore_points_logged(run, [points("loss", [int(moment)], [moment]), points("system/cpu", [0], [1.0])])
    assert lines == [
        "runlore: wise-koala · 1 min 1 s · step 161 · loss 161\n",
        "runlore: wise-koala · 2 min 2 s · step 222 · loss 222\n",
    ]
    progress.runlore_run_finished(run, "failed", {"type": "ValueError"})
    assert lines[-1] == "runlore: wise-koala · failed after 2 min 2 s: ValueError\n"
    progress.runlore_run_finished(RunInfo("2", "short", "e", None, store.root, 200.0), "finished", None)
    assert len(lines) == 3


def test_a_progress_line_is_printed_by_a_real_run(python: Python) -> None:
    process = python(
        """
        import runlore, time
        with runlore.start_run("long") as run:
            for step in range(25):
                run.log_metrics({"loss": 0.25}, step)
                time.sleep(0.1)
        """,
        RUNLORE_PROGRESS="0.5",
    )
    process.succeed()
    assert "runlore: long · " in process.err
    assert "loss 0.25" in process.err
    assert "finished after" in process.err


def test_a_setting_that_is_no_interval_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_PROGRESS", "often")
    with pytest.warns(RunloreWarning, match="RUNLORE_PROGRESS is 'often': write a number of seconds"):
        listed = Plugins(frozenset({"sklearn"})).load().listed
    info = next(item for item in listed if item.name == "progress")
    assert info.state == "failed"
