"""The statements on trainers, generators and trainings at the same time."""

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import pytest

from runlore.testing.basis import Basis
from runlore.testing.registry import sizes_of
from runlore.testing.training import Training


class TrainerStatements(Basis):
    """One trainer may be fitted often, several at once, and none is held."""

    # Fitted twice

    def test_a_trainer_that_is_fitted_twice_makes_two_runs(self, how: str) -> None:
        """Each with the points of its own fit."""
        self._needs("make", "fit")
        training = self._asked("a", how)
        with self._quiet(how):
            trainer = self.make(training)
            self.fit(trainer, training)
            first = len(training.told)
            self.fit(trainer, replace(training, longer=True))
        runs = self._runs()[::-1]
        assert [run.status for run in runs] == ["finished", "finished"]
        for run, told in zip(runs, (training.told[:first], training.told[first:]), strict=True):
            steps = run.metrics[self.metric].steps.tolist() if self.metric in run.metrics else []
            assert steps == [point.step for point in told if point.metric in ("", self.metric)] or not training.told

    def test_autolog_leaves_a_trainer_as_it_was(self) -> None:
        """It has the attributes that it has without runlore, and a second fit adds no more to them."""
        self._needs_autolog()
        self._needs("make", "fit")
        names, grown = self._left_on_a_trainer("plain")
        assert self._left_on_a_trainer("autolog") == (names, grown)
        assert len(self._runs()) == 2

    def test_a_trainer_is_let_go(self, how: str) -> None:
        """Nothing of runlore holds it when its user does not."""
        self._needs("make", "fit")
        if not self._is_let_go("plain"):
            pytest.skip("the framework itself holds it")
        assert self._is_let_go(how), "it lives on after its fit"
        assert self._only_run().status == "finished"

    # Generators

    def test_generators_that_take_turns_make_a_run_each(self, how: str) -> None:
        """Between two steps of one, the other one trains."""
        self._needs("iterate")
        with self._quiet(how):
            for _ in zip_longest(*(self.iterate(self._asked(name, how)) for name in ("a", "b"))):
                pass
        self._has_two_runs()

    def test_a_generator_that_waits_or_is_dropped_hinders_no_other(self, how: str) -> None:
        """The things that its user does between two steps are no part of its training."""
        self._needs("iterate")
        with self._quiet(how):
            waiting = iter(self.iterate(self._asked("a", how)))
            next(waiting)
            for _ in self.iterate(self._asked("b", how)):
                pass
            for _ in waiting:
                pass
            self._has_two_runs()
            dropped: Iterator[object] | None = iter(self.iterate(self._asked("c", how)))
            assert dropped is not None
            next(dropped)
            dropped = None
            gc.collect()
        assert len(self._runs()) == 3
        assert self._runs()[0].status != "running", "its user has dropped the generator"

    # At the same time

    def test_trainings_in_two_threads_make_two_runs(self, how: str) -> None:
        """Without crossed points."""
        made = threading.Barrier(2, timeout=60)

        def work(training: Training) -> None:
            self._train_made(self._made(training), training, made)

        with self._quiet(how):
            _in_threads(*((work, self._asked(name, how)) for name in ("a", "b")))
        self._has_two_runs()

    def test_a_training_that_begins_midway_through_another_makes_a_run(self, how: str) -> None:
        """Another thread begins it, and ends it, meanwhile."""
        try:
            self._train_midway_through_another("plain")
        except Exception as error:  # whatever the framework makes of it
            pytest.skip(f"the framework itself can't: {type(error).__name__}: {error}")
        self._train_midway_through_another(how)
        self._has_two_runs()

    # What the statements share

    def _train_made(self, trainer: Any, training: Training, made: threading.Barrier | None = None) -> None:
        if made is not None:
            made.wait()
        if trainer is None:
            self.train(training)
        else:
            self.fit(trainer, training)

    def _train_midway_through_another(self, how: str) -> None:
        with self._quiet(how):
            inner = self._asked(f"inner {how}", how)
            other = self._made(inner)

            def midway() -> None:
                _in_threads((lambda training: self._train_made(other, training), inner))

            outer = self._asked(f"outer {how}", how, midway=midway)
            self._train_made(self._made(outer), outer)

    def _left_on_a_trainer(self, how: str) -> tuple[set[str], dict[str, int]]:
        """Return the names of a trainer's attributes after a fit, and by how much a second fit makes each grow."""
        training = self._asked(f"left {how}", how)
        with self._quiet(how):
            trainer = self.make(training)
            self.fit(trainer, training)
            first = sizes_of(trainer)
            self.fit(trainer, replace(training, longer=True))
        second = sizes_of(trainer)
        return set(first), {name: size - first.get(name, 0) for name, size in second.items()}

    def _is_let_go(self, how: str) -> bool:
        training = self._asked(f"gone {how}", how)
        with self._quiet(how):
            trainer = self.make(training)
            self.fit(trainer, training)
            try:
                reference = weakref.ref(trainer)
            except TypeError:
                pytest.skip("a trainer takes no weak reference")
            del trainer
            gc.collect()
            return reference() is None

    def _has_two_runs(self) -> None:
        runs = self._runs()
        assert [run.status for run in runs] == ["finished", "finished"]
        assert [run.metrics[self.metric].steps.tolist() for run in runs] == [self._steps()] * 2


def _in_threads(*work: Any) -> None:
    """Call functions with an argument each, at the same time, and raise what one of them raises."""
    errors: list[BaseException] = []

    def call(function: Any, argument: Any) -> None:
        try:
            function(argument)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=item) for item in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
