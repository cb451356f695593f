"""The hooks: observers that follow the log, rewriters on the caller's thread, plugins that break or are left out."""

import csv
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runlore import RunloreWarning, Store, hookimpl
from runlore._process import process
from runlore.hookspecs import LoggedEvent, LoggedPoints, RunInfo
from runlore.plugins.manager import Plugins, plugins
from runlore.plugins.progress import ProgressLine
from runlore.recording.observing import Observers
from tests.plugins.test_environment import plugin
from tests.process import Process

Python = Callable[..., Process]


class Observer:
    """Writes down what it is told, and on which thread."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.threads: set[str] = set()

    def tell(self, what: str, value: Any) -> None:
        self.told.append((what, value))
        self.threads.add(threading.current_thread().name)

    @hookimpl
    def runlore_run_started(self, run: RunInfo) -> None:
        self.tell("started", run)

    @hookimpl
    def runlore_events_logged(self, run: RunInfo, events: Sequence[LoggedEvent]) -> None:
        for event in events:
            self.tell(event.type, event)

    @hookimpl
    def runlore_points_logged(self, run: RunInfo, points: Sequence[LoggedPoints]) -> None:
        for item in points:
            self.tell("points", item)

    @hookimpl
    def runlore_run_finished(self, run: RunInfo, status: str, error: Any) -> None:
        self.tell("finished", (status, error))


@pytest.fixture
def plug() -> Any:
    """Registers plugins in this process; they are gone after the test."""
    loaded = plugins()
    added: list[Any] = []

    def register(item: Any, name: str = "") -> Any:
        loaded.register(item, name or f"test-{len(added)}")
        added.append(item)
        return item

    yield register
    for item in added:
        loaded.unregister(item)
    process.part(Observers).are_slow = False


def test_an_observer_is_told_everything_in_order_on_a_thread_of_its_own(store: Store, plug: Any) -> None:
    observer = plug(Observer())
    with store.start_run("watched", experiment="e", params={"lr": 0.1}) as run:
        for step in range(100):
            run.log_metrics({"loss": 1.0 / (step + 1), "acc": 0.5}, step=step, epoch=step / 10, split="train")
        run.set_tags({"a": "b"})
    kinds = [what for what, _ in observer.told]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert {"params", "tags", "environment"} <= set(kinds)
    info = observer.told[0][1]
    assert (info.id, info.name, info.experiment, info.parent, info.store) == (run.id, "watched", "e", None, store.root)
    assert abs(info.started - time.time()) < 60
    loss = [item for what, item in observer.told if what == "points" and item.key == "loss"]
    assert [step for item in loss for step in item.steps] == list(range(100))
    assert [value for item in loss for value in item.values] == [1.0 / (step + 1) for step in range(100)]
    assert {item.split for item in loss} == {"train"}
    assert loss[0].epochs[0] == 0.0
    assert observer.threads == {"runlore-follower"}
    assert observer.told[-1][1] == ("finished", None)


def test_without_an_observer_there_is_no_follower(store: Store) -> None:
    with store.start_run():
        assert "runlore-follower" not in {thread.name for thread in threading.enumerate()}


def test_an_observer_learns_of_a_failure_and_of_what_is_added_later(store: Store, plug: Any) -> None:
    observer = plug(Observer())
    with pytest.raises(ZeroDivisionError), store.start_run("bad"):
        _ = 1 / 0
    status, error = observer.told[-1][1]
    assert (status, error["type"]) == ("failed", "ZeroDivisionError")
    observer.told.clear()
    store.run("bad").note("later")
    assert [what for what, _ in observer.told] == ["note"]


class Broken:
    calls = 0

    @hookimpl
    def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
        self.calls += 1
        raise RuntimeError("no network")


def test_an_observer_that_fails_warns_once_goes_on_being_called_and_is_summed_up(store: Store, plug: Any) -> None:
    broken = plug(Broken(), "mirror")
    heard: list[LoggedPoints] = []

    class Hearing:
        @hookimpl
        def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
            heard.extend(points)

    plug(Hearing())
    with pytest.warns(RunloreWarning, match="'mirror' failed while it observed") as caught:
        run = store.start_run("x")
        for step in range(3):
            run.log_metrics({"loss": 1.0}, step)
            run.companions.drain()
        run.finish()
    assert len(caught) == 1
    assert broken.calls == 3
    assert len(heard) == 3
    (missing,) = [item for item in store.run("x").missing if "mirror" in item["what"]]
    assert missing["why"] == "it failed 3 times, first: RuntimeError: no network"


def test_a_slow_observer_keeps_a_run_waiting_once_and_never_training(
    store: Store, plug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runlore.recording.observing.WAIT_S", 0.2)
    free = threading.Event()

    class Slow:
        @hookimpl
        def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
            free.wait(30)

    plug(Slow())
    with pytest.warns(RunloreWarning, match="observers of runs are slow") as caught:
        for _ in range(5):
            with store.start_run() as run:
                for _ in range(1000):
                    run.log_metrics({"loss": 1.0})
    free.set()
    assert len(caught) == 1
    assert {item.metrics["loss"].count for item in store.runs()} == {1000}
    assert {item.status for item in store.runs()} == {"finished"}


def test_a_rewriter_changes_what_is_written_on_the_thread_that_logs(store: Store, plug: Any) -> None:
    threads = set()

    class Rewriter:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            threads.add(threading.current_thread())
            if event["type"] == "params":
                return {**event, "values": {key: f"<{value}>" for key, value in event["values"].items()}}
            return None

    plug(Rewriter())
    run = store.start_run("x", params={"a": 1})
    run.companions.await_captures()
    threads.clear()
    run.log_params({"b": 2})
    assert threads == {threading.main_thread()}
    run.finish()
    assert store.run("x").params == {"a": "<1>", "b": "<2>"}


def test_what_a_failing_rewriter_should_have_masked_is_not_written(store: Store, plug: Any) -> None:
    class Rewriter:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            if event["type"] in ("params", "note"):
                raise ValueError("broken masks")

        @hookimpl
        def runlore_rewrite_file(self, file: Any) -> Any:
            raise ValueError("broken masks")

    plug(Rewriter(), "masks")
    with (
        pytest.warns(RunloreWarning, match="without its content"),
        store.start_run("x", params={"pin": "08-15-fish"}) as run,
    ):
        run.note("the pin is 08-15-fish")
        run.run_log.keep_bytes(b"08-15-fish", name="f.txt")
        run.log_metrics({"loss": 1.0})
    found = store.run("x")
    assert found.params == {}
    assert found.notes == ["left out: plugin 'masks' raised ValueError"]
    assert found.status == "finished"
    assert found.metrics["loss"].last == 1.0
    assert [item.name for item in found.artifacts] == []
    assert any(item["what"] == "f.txt" and "broken masks" in item["why"] for item in found.missing)
    assert not any(b"08-15-fish" in path.read_bytes() for path in store.root.rglob("*") if path.is_file())


GOOD = """
from runlore import hookimpl
class P:
    @hookimpl
    def runlore_capture_environment(self):
        return {"made": {"by": "an object"}}
def plugin():
    return P()
def nothing():
    return None
"""


def test_an_entry_point_may_name_a_function_that_makes_the_plugin(store: Store, tmp_path: Path, python: Python) -> None:
    path = plugin(tmp_path, "maker", GOOD, ":plugin")
    python("import runlore; runlore.start_run('x').finish()", PYTHONPATH=path).succeed()
    assert store.run("x").environment["made"] == {"by": "an object"}


def test_a_hook_of_an_unknown_name_is_reported_and_its_plugin_left_out(tmp_path: Path, python: Python) -> None:
    code = "from runlore import hookimpl\n@hookimpl\ndef runlore_run_finish(run): pass\n"
    process = python(
        """
        from runlore.plugins.manager import Plugins
        info = next(item for item in Plugins().load().listed if item.name == "typo")
        print(info.state, info.error)
        """,
        PYTHONPATH=plugin(tmp_path, "typo", code),
    )
    assert "failed AttributeError: there is no hook 'runlore_run_finish': did you mean 'runlore_run_finished'?" in (
        process.succeed()
    )
    assert "plugin 'typo' can't be loaded" in process.err


def test_built_in_plugins_can_be_left_out_one_by_one(store: Store, python: Python) -> None:
    script = "import runlore; runlore.start_run('x', params={'password': 'hunter2'}).finish()"
    python(script, RUNLORE_DISABLED="secrets,environment").succeed()
    found = store.run("x")
    assert found.params == {"password": "hunter2"}
    assert set(found.environment) == {"seeds"}


def test_the_csv_mirror_has_every_point_and_param(store: Store, tmp_path: Path, python: Python) -> None:
    python(
        """
        import runlore
        with runlore.start_run("mine/1", params={"lr": 0.5, "model.depth": 3}) as run:
            for step in range(50):
                run.log_metrics({"loss": step / 3}, step=step, epoch=0.5, split="val")
            run.log_metrics({"nan": float("nan")})
        """,
        RUNLORE_CSV=str(tmp_path / "csv"),
    ).succeed()
    (place,) = (tmp_path / "csv").iterdir()
    assert place.name == f"mine-1-{store.runs()[0].id}"
    rows = list(csv.DictReader((place / "metrics.csv").read_text().splitlines()))
    losses = [row for row in rows if row["key"] == "val/loss"]
    assert [float(row["value"]) for row in losses] == [step / 3 for step in range(50)]
    assert {(row["split"], row["epoch"]) for row in losses} == {("val", "0.5")}
    assert [row["value"] for row in rows if row["key"] == "nan"] == ["nan"]
    params = {row["key"]: row["value"] for row in csv.DictReader((place / "params.csv").read_text().splitlines())}
    assert params == {"lr": "0.5", "model.depth": "3"}
    assert (place / "status").read_text() == "finished\n"


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
        plugins = Plugins(frozenset({"sklearn"})).load()
    info = next(item for item in plugins.listed if item.name == "progress")
    assert info.state == "failed"


def test_what_a_rewriter_lost_is_told_in_the_run(store: Store, plug: Any) -> None:
    class Failing:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            if event["type"] in ("params", "tags", "note"):
                raise KeyError("x")

    plug(Failing())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with store.start_run("lossy", params={"a": 1}, tags={"b": "c"}) as run:
            run.note("d")
    found = {item["what"]: item["why"] for item in store.run("lossy").missing}
    assert found.keys() == {"params", "tags", "note"}
    assert "raised KeyError" in found["params"]


@pytest.mark.parametrize("body", ["class plugin:\n    pass", "def something():\n    pass\nplugin = object()"])
def test_a_plugin_that_can_do_nothing_is_reported(tmp_path: Path, python: Python, body: str) -> None:
    site = plugin(tmp_path, "idle", body, attribute=":plugin")
    process = python("import runlore; runlore.start_run('x').finish()", PYTHONPATH=site)
    process.succeed()
    assert "plugin 'idle' can't be loaded and is left out" in process.err
    assert "is a class" in process.err or "it has no hooks" in process.err
