"""The contract of an integration: what every framework's record must show, whatever the framework."""

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

import runlore
from runlore.errors import RunloreWarning
from runlore.session import FitSession
from runlore.store import Store
from runlore.testing._faults import Failing
from runlore.testing._training import Training, random_states, train, train_checked, train_elsewhere

Run = Any
TIMEOUT = 120  # seconds for a training in a process of its own
SECRET = "sk-ant-api03-Zk4vQ9wXr2LmN8pT1sYb"  # has the shape of a service's key


class IntegrationContract:
    """Subclass it in a file of tests, and say how your framework trains; pytest does the rest.

    `train` trains a tiny seeded model in well under a second and returns its weights, comparable with `==`. Each of
    `steps` steps gives the metric `metric` a point, at the steps `first_step`, `first_step` + 1, …; `param` is a
    hyperparameter with its value, by its recorded name. `checkpoint` names the file or folder in `Training.folder` to
    resume from; leave it out, and `has_checkpoints` false, where the framework writes none.
    """

    integration: ClassVar[str]
    metric: ClassVar[str]
    param: ClassVar[tuple[str, Any]]
    steps: ClassVar[int]
    first_step: ClassVar[int] = 1
    hows: ClassVar[tuple[str, ...]] = ("callback", "autolog")
    has_checkpoints: ClassVar[bool] = True
    _plain_codes: ClassVar[dict[str, int]] = {}

    def train(self, training: Training) -> Any:
        """Train as asked, and return the weights."""
        raise NotImplementedError

    def checkpoint(self, folder: Path) -> Path:
        """The newest checkpoint in a folder that `train` was given."""
        raise NotImplementedError

    # What the tests share

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        inner = cls.train

        def checked(self: "IntegrationContract", training: Training) -> Any:
            return train_checked(self, training, inner)

        if "train" in vars(cls):
            cls.train = checked  # type: ignore[method-assign]

    @pytest.fixture(autouse=True)
    def _is_complete(self) -> None:
        """Say what a subclass has forgotten before anything is trained."""
        wanted = {
            "integration": "the name that its runs are tagged with",
            "metric": "the name of a metric that has a point for each step",
            "param": "a hyperparameter's recorded name and its value",
            "steps": "how many steps a training has",
        }
        missing = [f"{name} ({what})" for name, what in wanted.items() if not hasattr(self, name)]
        cls = type(self)
        missing += [] if cls.train is not IntegrationContract.train else ["the method train(training)"]
        if self.has_checkpoints and cls.checkpoint is IntegrationContract.checkpoint:
            missing.append("the method checkpoint(folder), or has_checkpoints = False")
        if missing:
            pytest.fail(f"{cls.__name__} lacks: {'; '.join(missing)}", pytrace=False)
        unknown = [how for how in self.hows if how not in ("callback", "autolog")]
        if unknown:
            pytest.fail(f"{cls.__name__}.hows has {unknown[0]!r}: write 'callback' or 'autolog'", pytrace=False)

    @pytest.fixture(autouse=True)
    def _surroundings(self, runlore_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = runlore_store
        self.folder = tmp_path / "checkpoints"
        self.folder.mkdir()
        monkeypatch.chdir(tmp_path)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each test that asks `how` runs once for each way of recording."""
        if "how" in metafunc.fixturenames:
            metafunc.parametrize("how", self.hows)

    def _train(self, how: str, **settings: Any) -> Any:
        """Train without the warnings of the framework; ours are errors."""
        folder = settings.pop("folder", self.folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RunloreWarning)
            return train(self, Training(folder, how, **settings))  # type: ignore[arg-type]

    def _only_run(self) -> Run:
        runs = self.store.runs()
        assert len(runs) == 1, f"a training should have made one run, and made {len(runs)}"
        return runs[0]

    def _steps(self, steps: int | None = None) -> list[int]:
        return list(range(self.first_step, self.first_step + (self.steps if steps is None else steps)))

    def _needs_checkpoints(self) -> None:
        if not self.has_checkpoints:
            pytest.skip("the framework writes no checkpoints")

    # Harmless (G1)

    def test_a_recorded_training_is_the_same_training(self, how: str) -> None:
        """Weights, random states, warnings and everything around are as without runlore."""
        self._observed("plain", "warm up")  # what is loaded or warned of once
        plain, recorded = self._observed("plain", "a"), self._observed(how, "b")
        assert len(self.store.runs()) == 1
        for name, value in plain.items():
            assert recorded[name] == value, name

    def _observed(self, how: str, folder: str) -> dict[str, Any]:
        place = self.folder / folder
        place.mkdir()
        before = {path for path in Path.cwd().rglob("*") if self.store.root not in (path, *path.parents)}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            weights = train(self, Training(place, how))  # type: ignore[arg-type]
        after = {path for path in Path.cwd().rglob("*") if self.store.root not in (path, *path.parents)}
        return {
            "weights": weights,
            "random states": random_states(),
            "warnings": Counter(_facts(item, place) for item in caught),
            "files": sorted(str(path.relative_to(place)) for path in after - before if place in path.parents),
            "other files": sorted(str(path) for path in after - before if place not in path.parents),
            "environment": dict(os.environ),
            "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook),
            "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            "log handlers": list(logging.getLogger().handlers),
            "streams": (sys.stdout, sys.stderr, "write" in vars(sys.stdout)),
            "threads": sorted(item.name for item in threading.enumerate() if not item.name.startswith("runlore-")),
            "directory": Path.cwd(),
        }

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
        (tmp_path / "store").write_text("a file, not a store")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recorded = train(self, Training(self._new("b"), how))  # type: ignore[arg-type]
        assert recorded == plain
        assert len([item for item in caught if issubclass(item.category, RunloreWarning)]) == 1

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

    def test_a_store_that_vanishes_costs_the_record_only(self, how: str) -> None:
        """Somebody removes it while the framework trains."""
        plain = self._train("plain", folder=self._new("a"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recorded = train(self, Training(self._new("b"), how, self._remove_store))  # type: ignore[arg-type]
        assert recorded == plain

    def _remove_store(self) -> None:
        gone = self.store.root.with_name("gone")
        self.store.root.rename(gone)  # at once, as other threads write to it
        shutil.rmtree(gone, ignore_errors=True)

    def _new(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        return place

    # Honest status (G3)

    def test_the_status_is_true_at_every_moment(self, how: str) -> None:
        """Running while it trains, then finished."""
        seen: list[str] = []
        self._train(how, midway=lambda: seen.append(self._only_run().status))
        assert seen == ["running"]
        run = self._only_run()
        assert (run.status, run.error) == ("finished", None)
        assert run.ended >= run.started
        assert run.tags["integration"] == self.integration

    @pytest.mark.parametrize("ending", ["terminate", "interrupt"])
    def test_a_training_that_is_told_to_stop_reads_interrupted(self, how: str, ending: str) -> None:
        """And its process ends as it would without runlore."""
        codes = vars(type(self)).get("_plain_codes") or {}
        if ending not in codes:  # the same for each way of recording
            codes[ending] = self._elsewhere("plain", ending)
            type(self)._plain_codes = codes
        assert self._elsewhere(how, ending) == codes[ending]
        assert self._only_run().status == "interrupted"

    def test_a_killed_training_reads_crashed(self, how: str) -> None:
        """What it had logged is there."""
        self._kill_midway(how)
        run = self._only_run()
        assert run.status == "crashed"
        name, value = self.param
        assert (name, run.params.get(name)) == (name, value)

    def _elsewhere(self, how: str, ending: str, **settings: Any) -> int:
        folder = settings.pop("folder", self.folder)
        process = train_elsewhere(self, Training(folder, how, **settings), ending)  # type: ignore[arg-type]
        _, errors = process.communicate(timeout=TIMEOUT)
        if ending == "none":
            assert process.returncode == 0, errors
        return process.returncode

    def _kill_midway(self, how: str) -> None:
        process = train_elsewhere(self, Training(self.folder, how), "wait")  # type: ignore[arg-type]
        assert process.stdout is not None
        try:
            printed = ""
            while "midway" not in printed:
                printed = process.stdout.readline()
                assert printed, process.communicate()[1]
            assert self._only_run().status == "running"
        finally:
            process.kill()
            process.communicate()

    # One run for each training (G4)

    def test_a_second_training_makes_a_second_run(self, how: str) -> None:
        """With points of its own."""
        self._train(how, folder=self._new("a"))
        self._train(how, folder=self._new("b"))
        assert [run.status for run in self.store.runs()] == ["finished", "finished"]
        for run in self.store.runs():
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

    def test_a_training_within_another_is_a_part_of_it(self, how: str) -> None:
        """It makes no run."""
        with FitSession.begin("outer") as session:
            assert session
            self._train(how)
        assert self._only_run().tags["integration"] == "outer"

    def test_trainings_in_two_threads_make_two_runs(self, how: str) -> None:
        """Without crossed points."""
        errors: list[BaseException] = []

        def work(name: str) -> None:
            try:
                self.train(Training(self._new(name), how))  # type: ignore[arg-type]
            except BaseException as error:
                errors.append(error)
                raise

        with warnings.catch_warnings(), _autolog(self.integration, how):
            warnings.simplefilter("ignore")
            threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert errors == []
        assert [run.metrics[self.metric].steps.tolist() for run in self.store.runs()] == [self._steps()] * 2

    # Points and params (G5, G6, G8)

    def test_every_step_has_its_point_once(self, how: str) -> None:
        """At the framework's own step."""
        self._train(how)
        series = self._only_run().metrics[self.metric]
        assert series.steps.tolist() == self._steps()

    def test_params_are_written_before_the_middle(self, how: str) -> None:
        """Under the framework's own names."""
        seen: list[Any] = []
        self._train(how, midway=lambda: seen.append(self._only_run().params.get(self.param[0])))
        assert seen == [self.param[1]]

    def test_the_environment_is_recorded(self, how: str) -> None:
        """Python, system, packages, command, folder."""
        self._train(how)
        run = self._only_run()
        assert {"python", "os", "packages"} <= set(run.environment)
        assert run.command["cwd"] == str(Path.cwd())
        assert run.command["argv"]

    # Secrets (G7)

    def test_a_secret_in_an_exception_is_nowhere_in_the_store(self, how: str) -> None:
        """Nor in any blob."""

        def fail() -> None:
            raise ValueError(f"401 for api_key={SECRET}")

        with pytest.raises(ValueError, match="401"):
            self._train(how, midway=fail)
        run = self._only_run()
        assert "401" in run.error["message"]
        assert SECRET not in str(run.error)
        assert SECRET not in str(run.params)
        files = [path for path in self.store.root.rglob("*") if path.is_file()]
        assert not [path for path in files if SECRET.encode() in path.read_bytes()]

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
        assert len(self.store.runs()) == 0

    def test_autolog_twice_is_once_and_ends(self) -> None:
        """Callback and autolog together make one run, too."""
        if "autolog" not in self.hows:
            pytest.skip("the framework has no autolog")
        with runlore.autolog(self.integration), runlore.autolog(self.integration):
            self._train("autolog", folder=self._new("a"))
        assert len(self.store.runs()) == 1
        self._train("plain", folder=self._new("b"))
        assert len(self.store.runs()) == 1
        if "callback" in self.hows:
            with runlore.autolog(self.integration):
                self._train("callback", folder=self._new("c"))
            assert len(self.store.runs()) == 2

    # Checkpoints and resuming (G14, G15, G16)

    def test_checkpoints_are_recorded_and_the_last_one_kept(self, how: str) -> None:
        """With path, size, hash, step and roles; restored byte for byte."""
        self._needs_checkpoints()
        self._train(how)
        run = self._only_run()
        found = [item for item in run.artifacts if item.kind == "checkpoint"]
        assert found
        for item in found:
            assert item.step is not None
            assert item.sha256 is not None or item.why
        last = run.artifact("last")
        assert (last.stored, last.present) == (True, True)
        restored = last.restore(self._new("restored"))
        assert _content(restored) == _content(Path(last.path))

    def test_a_checkpoint_holds_nothing_of_runlore(self, how: str) -> None:
        """So it loads where runlore is not installed."""
        self._needs_checkpoints()
        self._train(how)
        for path, content in _content(self.checkpoint(self.folder)).items():
            assert b"runlore" not in content, path

    def test_a_killed_training_that_goes_on_is_one_run(self, how: str) -> None:
        """Two segments, no step twice."""
        self._needs_checkpoints()
        self._kill_midway(how)
        assert self._only_run().status == "crashed"
        self._elsewhere(how, "none", resume_from=self.checkpoint(self.folder))
        run = self._only_run()
        assert (run.status, len(run.segments)) == ("finished", 2)
        assert run.metrics[self.metric].steps.tolist() == self._steps()

    def test_a_finished_training_that_goes_on_is_a_linked_run(self, how: str) -> None:
        """From the step of its checkpoint."""
        self._needs_checkpoints()
        self._train(how)
        self._train(how, resume_from=self.checkpoint(self.folder), longer=True)
        second, first = self.store.runs()
        step = first.artifact("last").step
        assert second.links == [{"kind": "resumed_from", "run": first.id, "step": step}]
        assert first.metrics[self.metric].steps.tolist() == self._steps()
        assert second.metrics[self.metric].steps.tolist() == self._steps(2 * self.steps)[self.steps :]


def _facts(warning: warnings.WarningMessage, place: Path) -> tuple[Any, ...]:
    text = str(warning.message).replace(str(place), "")
    return warning.category, text, warning.filename, warning.lineno


def _autolog(integration: str, how: str) -> Any:
    from contextlib import nullcontext

    return runlore.autolog(integration) if how == "autolog" else nullcontext()


def _begin_in_a_worker() -> None:
    if FitSession.begin("contract"):
        os._exit(3)


def _content(path: Path) -> dict[str, bytes]:
    """The files of a checkpoint by their path in it."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(item.relative_to(path)): item.read_bytes() for item in sorted(path.rglob("*")) if item.is_file()}
