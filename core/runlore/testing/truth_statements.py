"""The statements on what numbers, files and ends are of: values, steps, epochs, sets of data, reasons."""

import math
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from runlore.testing.basis import Basis, Run
from runlore.testing.training import Point, train

Made = Callable[[], Any]
UNUSUAL: dict[str, Made] = {
    "NaN": lambda: math.nan,
    "a text": lambda: "none yet",
    "a list": lambda: [[3, 1], [0, 4]],
    "a mapping": lambda: {"precision": 0.5},
    "an object": lambda: _Refusing(),
}


class _Refusing:
    """Raises whatever it is asked."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("it has no value yet")

    __float__ = __int__ = __array__ = item = tolist = _refuse

    def __repr__(self) -> str:
        return "no value yet"


class TruthStatements(Basis):
    """The record says what the framework tells, of the step and the data that it is of."""

    # Points

    def test_points_are_those_that_the_framework_tells(self, how: str) -> None:
        """Value for value, at the framework's step and epoch."""
        told: list[Point] = []
        self._train(how, told=told)
        if not told:
            pytest.skip(f"{type(self).__name__}.train does not call training.point(step, value, epoch)")
        run = self._only_run()
        for name in {point.metric or self.metric for point in told}:
            wanted = {point.step: point for point in told if (point.metric or self.metric) == name}
            assert name in run.metrics, f"{name!r} is not among the metrics: {sorted(run.metrics)}"
            series = run.metrics[name]
            assert series.steps.tolist() == sorted(wanted), name
            for step, value, epoch in zip(series.steps, series.values, series.epochs, strict=True):
                point = wanted[int(step)]
                assert value == pytest.approx(point.value, rel=1e-5), f"{name} at step {step}"
                assert point.epoch is None or epoch == pytest.approx(point.epoch), f"the epoch at step {step}"

    @pytest.mark.parametrize("kind", UNUSUAL)
    def test_an_unusual_metric_costs_nothing_else(self, how: str, kind: str) -> None:
        """No exception reaches the training, and its other metrics are recorded."""
        asked: list[bool] = []

        def unusual() -> Any:
            asked.append(True)
            return UNUSUAL[kind]()

        try:
            plain = self._train("plain", folder=self._new("a"), unusual=unusual)
        except Exception as error:  # whatever the framework makes of it
            pytest.skip(f"the framework itself refuses {kind}: {type(error).__name__}")
        if not asked:
            pytest.skip(f"{type(self).__name__}.train does not report training.unusual()")
        recorded = self._train_with_warnings(how, unusual)
        assert repr(recorded) == repr(plain)
        run = self._only_run()
        assert run.status == "finished"
        assert run.metrics[self.metric].steps.tolist() == self._steps()

    # Checkpoints

    def test_checkpoints_are_of_the_step_that_they_tell(self, how: str) -> None:
        """And of their epoch."""
        self._needs_checkpoints()
        self._needs("saved_at")
        self._train(how)
        recorded = {item.path: item for item in self._checkpoints() if Path(item.path).exists()}
        assert recorded
        for path, item in recorded.items():
            step, epoch = self.saved_at(Path(path))
            assert item.step == step, f"the step of {Path(path).name}"
            assert epoch is None or item.epoch == pytest.approx(epoch), f"the epoch of {Path(path).name}"

    def test_a_checkpoint_that_the_framework_removes_is_recorded_as_gone(self, how: str) -> None:
        """At once, not only when training ends."""
        self._needs_checkpoints()
        gone: list[tuple[str, bool]] = []

        def look() -> None:
            gone.extend((item.path, item.present) for item in self._checkpoints() if not os.path.lexists(item.path))

        self._train(how, midway=look)
        assert [path for path, present in gone if present] == []
        for item in {item.path: item for item in self._checkpoints()}.values():
            assert item.present == os.path.lexists(item.path)
        if not gone:
            pytest.skip("no checkpoint was removed before training.midway(): let `train` keep the newest one only")

    # Ends

    def test_a_training_that_stops_early_tells_why(self, how: str) -> None:
        """With reason and step, in the tag `stopped`; one that trains to its end has no such tag."""
        told: list[Point] = []
        self._train(how, stop=True, told=told)
        run = self._only_run()
        assert run.status == "finished"
        steps = run.metrics[self.metric].steps.tolist()
        if steps == self._steps():
            pytest.skip(f"{type(self).__name__}.train does not end early where training.stop is set")
        assert steps == self._steps(len(steps))
        found = re.match(r"step (\d+)(, epoch [\d.]+)?: \S", run.tags.get("stopped", "no tag `stopped`"))
        assert found, f"{run.tags}: FitSession.stopped(reason, step=…) sets the tag"
        last = told[-1].step if told else int(found[1])
        assert int(found[1]) == last
        self._train(how, folder=self._new("whole"))
        assert "stopped" not in self._runs()[0].tags

    # Evaluations

    def test_evaluations_keep_apart_and_from_the_fit(self, how: str) -> None:
        """The same set again goes on under its names; no other point is touched."""
        self._needs("make", "fit", "evaluate")
        training = self._asked("evaluate", how)
        with self._quiet(how):
            trainer = self.make(training)
            self.fit(trainer, training)
            fitted = _points(self._only_run())
            told = [self.evaluate(trainer, training, number) for number in (1, 2, 1)]
        last = fitted[self.metric][0][-1]
        for name in self._holds(fitted, told):
            steps = self._only_run().metrics[name].steps.tolist()
            counted = steps[1:] if self.steps == 1 else []  # a framework without steps evaluates again
            assert steps == [last, *counted], f"the step of {name}"

    def test_an_evaluation_of_a_checkpoint_is_of_its_step(self, how: str) -> None:
        """Whatever was trained since: the step and the epoch are those of the weights."""
        self._needs_checkpoints()
        self._needs("evaluate", "saved_at")
        self._train(how)
        fitted = _points(self._only_run())
        checkpoint = min(self._present(), key=lambda path: self.saved_at(path)[0])
        step, epoch = self.saved_at(checkpoint)
        with self._quiet(how):
            training = self._asked("evaluate", how, resume_from=checkpoint)
            told = [self.evaluate(None, training, number) for number in (1, 2)]
        for name in self._holds(fitted, told):
            series = self._only_run().metrics[name]
            assert series.steps.tolist() == [step], f"the step of {name}"
            assert epoch is None or series.epochs.tolist() == pytest.approx([epoch]), f"the epoch of {name}"

    # What the statements share

    def _checkpoints(self) -> list[Any]:
        return [item for item in self._only_run().artifacts if item.kind == "checkpoint"]

    def _present(self) -> list[Path]:
        return [Path(item.path) for item in self._checkpoints() if os.path.lexists(item.path)]

    def _train_with_warnings(self, how: str, unusual: Made) -> Any:
        """Train, whatever runlore warns of."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return train(self, self._asked("b", how, unusual=unusual))

    def _holds(self, fitted: Mapping[str, Any], told: list[Mapping[str, float]]) -> set[str]:
        """Assert that the run holds what was there, and what evaluations told; return the names of the latter."""
        after = _points(self._only_run())
        assert {name: after.get(name) for name in fitted} == fitted, "an evaluation has changed a curve of the fit"
        new = {name: values for name, (_, values) in after.items() if name not in fitted}
        for number, results in enumerate(told, 1):
            for name, value in results.items():
                found = [key for key, values in new.items() if value in _close_to(values, value)]
                assert found, f"{name} = {value} of evaluation {number} is in none of {sorted(new)}"
        first, second = (set(results.values()) for results in told[:2])
        assert first != second, "data of another number gives the same results"
        mixed = [key for key, values in new.items() if _has(values, first - second) and _has(values, second - first)]
        assert mixed == [], "these hold results on two sets of data"
        return set(new)


def _points(run: Run) -> dict[str, Any]:
    return {name: (series.steps.tolist(), series.values.tolist()) for name, series in run.metrics.items()}


def _close_to(values: list[float], value: float) -> list[float]:
    return [value for item in values if math.isclose(item, value, rel_tol=1e-5)]


def _has(values: list[float], wanted: set[float]) -> bool:
    return any(_close_to(values, value) for value in wanted)
