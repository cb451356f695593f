"""The trainings that the statements ask for, and what they look at."""

import io
import logging
import os
import re
import shutil
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import pytest

import runlore
from runlore.errors import RunloreWarning
from runlore.guest.session import FitSession
from runlore.store.store import Store
from runlore.testing.processes import Process
from runlore.testing.registry import registered
from runlore.testing.settings import Settings
from runlore.testing.training import Point, Training, train, train_elsewhere
from runlore.testing.warm import WarmParents

Run = Any

_NUMBER = r"\d[\d.:]*(e[-+]\d+)?"  # of a time, say, which no two trainings share


class Basis(Settings):
    """The trainings and the questions that the statements share."""

    _plain_codes: ClassVar[dict[str, int]] = {}

    @pytest.fixture(autouse=True)
    def _surroundings(
        self,
        runlore_store: Store,
        runlore_warm_parents: WarmParents,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.store = runlore_store
        self._parents = runlore_warm_parents
        self.folder = tmp_path / "checkpoints"
        self.folder.mkdir()
        monkeypatch.chdir(tmp_path)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that asks `how` once for each way of recording; what takes long in further ways under `stress`.

        What a training records is the same in all ways, which other tests show inside this process.
        """
        if "how" in metafunc.fixturenames:
            long = {"ending", "kind", "_in_a_process"} & set(metafunc.fixturenames)
            more = [pytest.mark.stress] if long else []
            first, *others = self.hows
            metafunc.parametrize("how", [first, *(pytest.param(how, marks=more) for how in others)])

    @pytest.fixture
    def _in_a_process(self) -> None:
        """Say that a statement starts processes of its own."""

    def _train(self, how: str, **settings: Any) -> Any:
        """Train with the warnings of the framework ignored and ours as errors."""
        folder = settings.pop("folder", self.folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RunloreWarning)
            return train(self, Training(folder, how, **settings))  # type: ignore[arg-type]

    def _runs(self) -> Any:
        """Return the runs of trainings, the newest first."""
        return self.store.runs("parent is None" if self.has_children else "")

    def _only_run(self) -> Run:
        runs = self._runs()
        assert len(runs) == 1, f"a training should have made one run, and made {len(runs)}"
        return runs[0]

    def _steps(self, steps: int | None = None) -> list[int]:
        return list(range(self.first_step, self.first_step + (self.steps if steps is None else steps)))

    def _needs_checkpoints(self) -> None:
        if not self.has_checkpoints:
            pytest.skip("the framework writes no checkpoints")

    def _needs_autolog(self) -> None:
        if "autolog" not in self.hows:
            pytest.skip("the framework has no autolog")

    def _modules(self) -> set[str]:
        """Return the names of the framework's modules, as autolog and `warm` name them."""
        named = {item.module for item in registered(self.integration)}
        return {name for name in (*named, *self.warm) if name is not None}

    def _asked(self, folder: str, how: str, **settings: Any) -> Training:
        """Return a training with a folder of its own."""
        return Training(self._new(folder), how, **settings)  # type: ignore[arg-type]

    def _made(self, training: Training) -> Any:
        """Return the trainer of a training, where the framework has one."""
        return self.make(training) if type(self).make is not Settings.make else None

    @contextmanager
    def _quiet(self, how: str) -> Iterator[None]:
        """Ignore warnings of the framework, make errors of ours, and switch autolog on if that is how."""
        with warnings.catch_warnings(), _autolog(self.integration, how):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RunloreWarning)
            yield

    def _observed(self, how: str, folder: str) -> dict[str, Any]:
        place = self.folder / folder
        place.mkdir()
        told: list[Point] = []
        states: list[Any] = []

        def look() -> None:
            states.append(self.random_states())

        before = {path for path in Path.cwd().rglob("*") if self.store.root not in (path, *path.parents)}
        printed = io.StringIO()
        with redirect_stdout(printed), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            weights = train(self, Training(place, how, look, told=told))  # type: ignore[arg-type]
            streams = (sys.stdout is printed, sys.stderr, "write" in vars(sys.stdout))
        after = {path for path in Path.cwd().rglob("*") if self.store.root not in (path, *path.parents)}
        return {
            "weights": weights,
            "random states in its midst": states,
            "random states": self.random_states(),
            "points that the framework tells": told,
            "warnings": Counter(_facts(item, place) for item in caught),
            "files": sorted(str(path.relative_to(place)) for path in after - before if place in path.parents),
            "other files": sorted(str(path) for path in after - before if place not in path.parents),
            "environment": dict(os.environ),
            "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook),
            "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            "log handlers": list(logging.getLogger().handlers),
            "streams": streams,
            "printed lines": sorted({re.sub(_NUMBER, "0", line) for line in printed.getvalue().splitlines()}),
            "threads": sorted(item.name for item in threading.enumerate() if not item.name.startswith("runlore-")),
            "directory": Path.cwd(),
        }

    def _remove_store(self) -> None:
        gone = self.store.root.with_name("gone")
        self.store.root.rename(gone)  # at once, as other threads write to it
        shutil.rmtree(gone, ignore_errors=True)

    def _new(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        return place

    def _start(self, how: str, ending: str, *, cold: bool = False, **settings: Any) -> Process:
        """Start a training in a process of its own, `cold` as users start theirs."""
        folder = settings.pop("folder", self.folder)
        asked = Training(folder, how, **settings)  # type: ignore[arg-type]
        return train_elsewhere(self, asked, ending, parents=None if cold else self._parents)

    def _elsewhere(self, how: str, ending: str, **settings: Any) -> int:
        """Train in a process of its own, and return its exit status."""
        process = self._start(how, ending, **settings)
        try:
            status = process.wait()
            assert status == 0 or ending != "none", process.err
            return status
        finally:
            process.end()

    def _kill_midway(self, how: str) -> None:
        """Start a training in a process of its own, and kill it in its midst."""
        process = self._start(how, "wait")
        try:
            while "midway" not in process.line():
                pass
            assert self._only_run().status == "running"
        finally:
            process.end()


def _facts(warning: warnings.WarningMessage, place: Path) -> tuple[Any, ...]:
    text = str(warning.message).replace(str(place), "")
    return warning.category, text, warning.filename, warning.lineno


def _autolog(integration: str, how: str) -> Any:
    return runlore.autolog(integration) if how == "autolog" else nullcontext()


def _begin_in_a_worker() -> None:
    if FitSession.begin("contract"):
        os._exit(3)


def _content(path: Path) -> dict[str, bytes]:
    """Return the files of a checkpoint by their path in it."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(item.relative_to(path)): item.read_bytes() for item in sorted(path.rglob("*")) if item.is_file()}
