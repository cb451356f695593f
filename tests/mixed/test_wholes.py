"""What is told of a fit as a whole, and of its parts: summaries, beginning again, children, wrapped functions."""

import inspect
import json
import math
import subprocess
import sys
import threading
import warnings
from types import ModuleType
from typing import Any

import pytest

from runlore import FitSession, Store, guest
from runlore.guest.options import RunOptions, settings_of
from runlore.guest.wrapping import Wrappers, arguments


def filled(store: Store) -> Any:
    for number, name in enumerate(("a", "b")):
        with store.start_run(name, params={"lr": 0.1}) as run:
            run.log_summary({"train_runtime": 1.5 + number, "best": {"score": 0.25}, "odd": math.nan})
            run.log_summary({"best": {"score": 0.5}})
    return store.run("b")


def test_a_summary_comes_back_and_can_be_asked_for(store: Store) -> None:
    run = filled(store)
    assert (run.summary["train_runtime"], run.summary["best.score"]) == (2.5, 0.5)
    assert math.isnan(run.summary["odd"])
    assert dict(run.metrics) == {}
    assert [found.name for found in store.runs("summary.train_runtime < 2")] == ["a"]
    assert [found.name for found in store.runs(sort="-summary.train_runtime")] == ["b", "a"]
    assert store.runs().to_rows()[0]["summary.best.score"] == 0.5
    assert store.runs().to_pandas()["summary.train_runtime"].tolist() == [2.5, 1.5]


def test_a_summary_is_shown_listed_and_compared(store: Store) -> None:
    filled(store)

    def ask(*words: str) -> str:
        command = [sys.executable, "-m", "runlore", *words, "--store", str(store.root)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    document = json.loads(ask("show", "b", "--json"))
    assert document["summary"] == {"train_runtime": 2.5, "best.score": 0.5, "odd": "NaN"}
    shown = ask("show", "b")
    assert "summary" in shown
    assert "train_runtime  2.5" in shown
    assert "2.5" in ask("ls", "-c", "summary.train_runtime")
    assert json.loads(ask("diff", "a", "b", "--json"))["metrics"] == {"train_runtime": {"a": 1.5, "b": 2.5}}


def test_beginning_again_leaves_no_stale_point(store: Store) -> None:
    with FitSession.begin("mine", params=lambda: {"lr": 0.1}) as session:
        for step in (10, 20, 30):
            session.metrics({"loss": float(step)}, step=step)
        session.rewind(10)
        assert store.run(session.run.id).metrics["loss"].steps.tolist() == [10]
        session.metrics({"loss": 1.0}, step=25)
        session.metrics({"other": 1.0})
        assert store.run(session.run.id).status == "running"
    (run,) = store.runs()
    assert run.metrics["loss"].steps.tolist() == [10, 25]
    assert (run.status, len(run.segments), run.params) == ("finished", 2, {"lr": 0.1})
    assert [segment.status for segment in run.segments] == ["interrupted", "finished"]


def test_what_the_user_had_logged_before_stays(store: Store) -> None:
    with store.start_run("mine") as run:
        for step in range(5):
            run.log_metrics({"before": float(step)}, step=step)
        with FitSession.begin("mine") as session:
            session.metrics({"loss": 1.0}, step=1)
            session.metrics({"loss": 2.0}, step=2)
            session.rewind(0)
            session.metrics({"loss": 3.0}, step=1)
        run.log_metrics({"before": 5.0})
    found = store.run("mine")
    assert found.metrics["before"].steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.metrics["loss"].values.tolist() == [3.0]


def test_beginning_again_loses_nothing_of_another_thread(store: Store) -> None:
    run = store.start_run("threads")
    stop = threading.Event()
    logged: list[int] = []

    def work() -> None:
        while not stop.is_set():
            run.log_metrics({"other": 1.0}, step=len(logged))
            logged.append(1)

    run.log_metrics({"other": 1.0}, step=0)
    thread = threading.Thread(target=work)
    thread.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(30):
            run.run_log.rewind(0, spared=run.run_log.keys())
    stop.set()
    thread.join()
    run.finish()
    assert store.run("threads").metrics["other"].count == len(logged)


def test_what_is_no_number_is_named_and_left_out(store: Store) -> None:
    with store.start_run("odd") as run:
        run.log_summary({"score": 0.5, "best_params": "C=1", "good": True})
    found = store.run("odd")
    assert found.summary == {"score": 0.5}
    assert {item["what"] for item in found.missing} == {"summary best_params", "summary good"}


def test_a_visit_leaves_the_users_run_to_the_first_fit(store: Store) -> None:
    with store.start_run("mine"):
        for name in ("first", "second"):
            with FitSession.begin("mine", guest.FitRequest(visits=True)) as visit:
                visit.metrics({name: 1.0})
        with FitSession.begin("mine") as fit:
            fit.metrics({"loss": 1.0})
    assert sorted(store.run("mine").metrics) == ["first", "loss"]
    assert [child.metrics["second"].count for child in store.run("mine").children] == [1]


def test_children_of_a_session_are_runs_below_it(store: Store) -> None:
    with FitSession.begin("mine", guest.FitRequest(name="search")) as search:
        with search.children():
            for _ in range(2):
                with FitSession.begin("mine") as trial:
                    assert trial
                    trial.metrics({"loss": 1.0}, step=1)
        assert guest.current() is search
        with FitSession.begin("mine") as part:
            assert not part
    parent = store.run("search")
    assert [child.status for child in parent.children] == ["finished", "finished"]
    assert len(store.runs()) == 3


def test_children_of_a_session_that_records_nothing_are_none(store: Store) -> None:
    with (
        FitSession.begin("mine", guest.FitRequest(leader=False)) as search,
        search.children(),
        FitSession.begin("mine") as trial,
    ):
        assert not trial
    assert len(store.runs()) == 0


# Wrapping


class Base:
    def work(self, x: int, y: int = 2) -> int:
        """Adds."""
        return x + y


class Derived(Base):
    pass


def test_a_method_is_wrapped_where_it_is_defined_and_put_back() -> None:
    before = Base.__dict__["work"]
    seen: list[Any] = []
    wrappers = Wrappers()

    def watched(original: Any, self: Any, *args: Any) -> Any:
        seen.append(args)
        return original(self, *args)

    wrappers.wrap(Derived, "work", watched)
    assert "work" not in vars(Derived)
    assert (Derived().work(1), seen) == (3, [(1,)])
    assert (inspect.signature(Base.work), Base.work.__doc__) == (inspect.signature(before), "Adds.")
    wrappers.restore()
    assert Base.__dict__["work"] is before
    assert not wrappers


def test_what_somebody_else_has_put_there_since_stays() -> None:
    module = ModuleType("module")
    module.load = lambda: 1  # type: ignore[attr-defined]
    wrappers = Wrappers()
    wrappers.wrap(module, "load", lambda original: original() + 1)
    assert module.load() == 2
    theirs = module.load = lambda: 3  # type: ignore[attr-defined]
    wrappers.restore()
    assert module.load is theirs


def test_there_must_be_something_to_wrap() -> None:
    with pytest.raises(AttributeError, match="Base has no function 'absent'"):
        Wrappers().wrap(Base, "absent", print)


def test_arguments_are_told_by_name() -> None:
    assert arguments(Base.work, None, 1) == {"self": None, "x": 1, "y": 2}
    assert arguments(Base.work, None, z=1) == {}


class Stopping:
    def __init__(self, patience: int = 3, path: str = "", model: Any = None) -> None:
        self.patience = patience
        self.path = path
        self._model = model
        self.waited = 0


def test_settings_are_the_plain_arguments_that_are_kept() -> None:
    found = settings_of([Stopping(), Stopping(5, model=object()), object()], but=("path",))
    assert found == {"Stopping": {"patience": 3, "model": None}, "Stopping_1": {"patience": 5}}


def test_options_become_the_request_of_a_session(store: Store) -> None:
    options = RunOptions.checked("named", "digits", {"team": "vision"}, str(store.root))
    with FitSession.begin("mine", options.request(tags={"model": "Net"})):
        pass
    (run,) = store.runs()
    assert (run.name, run.experiment) == ("named", "digits")
    assert run.tags == {"integration": "mine", "model": "Net", "team": "vision"}
