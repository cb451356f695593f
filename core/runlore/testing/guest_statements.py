"""The statements on being a guest: harmless, silent in workers, one run for each training, reversible."""

import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore.errors import RunloreWarning
from runlore.guest.session import FitSession
from runlore.testing.basis import Basis, _begin_in_a_worker
from runlore.testing.faults import Failing
from runlore.testing.training import Training, train


class GuestStatements(Basis):
    """Nothing that recording does reaches the training."""

    # Harmless (G1)

    def test_a_recorded_training_is_the_same_training(self, how: str) -> None:
        """Weights, random states, warnings, printed lines and everything around are as without runlore."""
        self._observed("plain", "warm up")  # what is loaded or warned of once
        plain, recorded = self._observed("plain", "a"), self._observed(how, "b")
        assert len(self._runs()) == 1
        for name, value in plain.items():
            assert recorded[name] == value, name

    def test_an_exception_reaches_the_caller_as_the_same_object(self, how: str) -> None:
        """And the run tells of it."""
        error = ValueError("in the midst")

        def fail() -> None:
            raise error

        with pytest.raises(ValueError, match="in the midst") as caught:
            self._train(how, midway=fail)
        assert caught.value is error
        run = self._only_run()
        assert run.status == "failed"
        assert (run.error["type"], run.error["message"]) == ("ValueError", "in the midst")
        assert "fail" in run.error["traceback"]

    # Faults stay outside (G2)

    def test_a_store_that_can_not_be_written_costs_the_record_only(self, how: str, tmp_path: Path) -> None:
        """One warning, the same weights."""
        plain = self._train("plain", folder=self._new("a"))
        (tmp_path / "store").write_text("a file, not a store", encoding="utf-8")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recorded = train(self, Training(self._new("b"), how))  # type: ignore[arg-type]
        assert recorded == plain
        ours = [str(item.message) for item in caught if issubclass(item.category, RunloreWarning)]
        assert len(ours) == 1, ours

    def test_hooks_that_all_fail_cost_the_record_only(
        self, how: str, runlore_plugins: Callable[[Any], Any], tmp_path: Path
    ) -> None:
        """Also those that are asked before anything is written."""
        plain = self._train("plain", folder=self._new("a"))
        runlore_plugins(Failing())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recorded = train(self, Training(self._new("b"), how))  # type: ignore[arg-type]
        assert recorded == plain
        assert len(self._runs()) == 1

    def test_a_store_that_vanishes_costs_the_record_only(self, how: str) -> None:
        """Somebody removes it while the framework trains."""
        plain = self._train("plain", folder=self._new("a"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recorded = train(self, Training(self._new("b"), how, self._remove_store))  # type: ignore[arg-type]
        assert recorded == plain

    # One run for each training (G4)

    def test_a_second_training_makes_a_second_run(self, how: str) -> None:
        """With points of its own."""
        self._train(how, folder=self._new("a"))
        self._train(how, folder=self._new("b"))
        assert [run.status for run in self._runs()] == ["finished", "finished"]
        for run in self._runs():
            assert run.metrics[self.metric].count == self.steps

    def test_a_training_within_the_users_run_joins_it(self, how: str) -> None:
        """And leaves it open."""
        with self.store.start_run("mine") as mine:
            self._train(how)
            assert not mine.ended
            mine.log_metrics({"after": 1.0})
        run = self._only_run()
        assert (run.name, run.status, run.metrics["after"].count) == ("mine", "finished", 1)
        assert run.metrics[self.metric].count == self.steps

    def test_trainings_in_a_group_are_runs_below_it(self, how: str) -> None:
        """The first one, too."""
        with self.store.group("folds"):
            for fold in ("a", "b"):
                self._train(how, folder=self._new(fold))
        group = self.store.run("folds")
        assert dict(group.metrics) == {}
        assert [fold.metrics[self.metric].count for fold in group.children] == [self.steps] * 2

    def test_a_training_within_another_is_a_part_of_it(self, how: str) -> None:
        """It makes no run, or one below that where a callback of the user's asks for it."""
        with FitSession.begin("outer") as session:
            assert session
            self._train(how)
        (outer,) = self.store.runs("parent is None")
        assert outer.tags["integration"] == "outer"
        assert how == "callback" or not outer.children
        self._train(how, folder=self._new("behind"))
        assert len(self.store.runs("parent is None")) == 2

    # Workers (G9)

    def test_a_worker_of_the_training_makes_no_run(self, how: str) -> None:
        """A process that the training forks, such as a loader's."""
        codes: list[int | None] = []

        def fork() -> None:
            child = multiprocessing.get_context("fork").Process(target=_begin_in_a_worker)
            child.start()
            child.join()
            codes.append(child.exitcode)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of forks beside threads
            train(self, Training(self.folder, how, fork))  # type: ignore[arg-type]
        assert codes == [0]
        assert self._only_run().status == "finished"

    # Reversible (G12)

    def test_it_can_be_switched_off_by_name(self, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """And everything at once."""
        for value in (self.integration, "all"):
            monkeypatch.setenv("RUNLORE_DISABLED", value)
            self._train(how, folder=self._new(value))
        assert len(self._runs()) == 0
        monkeypatch.delenv("RUNLORE_DISABLED")
        self._train(how)
        assert len(self._runs()) == 1

    def test_autolog_twice_is_once_and_ends(self) -> None:
        """Callback and autolog together make one run, too."""
        self._needs_autolog()
        with runlore.autolog(self.integration), runlore.autolog(self.integration):
            self._train("autolog", folder=self._new("a"))
        assert len(self._runs()) == 1
        self._train("plain", folder=self._new("b"))
        assert len(self._runs()) == 1
        if "callback" in self.hows:
            with runlore.autolog(self.integration):
                self._train("callback", folder=self._new("c"))
            assert len(self._runs()) == 2
