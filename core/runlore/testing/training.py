"""The trainings that a contract asks for, in this process or in one of their own."""

import importlib.util
import json
import os
import pickle
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from runlore.store.store import open_store
from runlore.testing.processes import Process
from runlore.testing.warm import WarmParents

How = Literal["plain", "callback", "autolog"]


def _nothing() -> None:
    """Go on training."""


class Point(NamedTuple):
    """A point of a metric as the framework tells it; `metric` is its recorded name, "" for that of the contract."""

    step: int
    value: float
    epoch: float | None = None
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """One training that a contract asks for.

    `folder` is where checkpoints go, `how` whether to train without runlore, with its callback, or as the user of
    autolog does (the contract has switched it on). Call `midway` once on the training thread, in the midst, after a
    checkpoint was written. `resume_from` is a checkpoint to go on from; `longer` asks for twice as many steps in all.

    What follows is optional; statements that need it are skipped where it is not used. Call `early` in the first code
    of the user's that the framework calls, before the first step. Report `unusual()` as a metric of the user's own at
    each step, unless it is None. Where `stop` is set, end the training in its midst as users of the framework do. Call
    `point` with each point of a metric as the framework tells it to the user.
    """

    folder: Path
    how: How = "callback"
    midway: Callable[[], object] = _nothing
    resume_from: Path | None = None
    longer: bool = False
    early: Callable[[], object] = _nothing
    unusual: Callable[[], Any] = _nothing
    stop: bool = False
    told: list[Point] = field(default_factory=list)  # by `point`

    def point(self, step: int, value: float, epoch: float | None = None, metric: str = "") -> None:
        """Tell what the framework says of a step; `metric` is the recorded name, that of the contract by default."""
        self.told.append(Point(step, float(value), epoch, metric))


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _fail() -> None:
    raise ValueError("in the midst")


def _wait() -> None:
    print("midway", flush=True)  # noqa: T201  # the test reads it
    time.sleep(60)


ENDINGS: dict[str, Callable[[], None]] = {
    "none": _nothing, "terminate": _terminate, "interrupt": _interrupt, "wait": _wait, "fail": _fail,
}  # fmt: skip
PROGRAM = "import sys; from runlore.testing.training import main; main(sys.argv[1])"
LOADING = "import sys; from runlore.testing.training import load_plugins; load_plugins(*sys.argv[1:])"


def train(contract: Any, training: Training) -> Any:
    """Return the weights of the contract's `train`, called with autolog on if that is how."""
    import runlore

    with runlore.autolog(contract.integration) if training.how == "autolog" else nullcontext():
        return contract.train(training)


def train_checked(contract: Any, training: Training, inner: Callable[[Any, Training], Any]) -> Any:
    """Train by a contract's own `train`, which has to call `midway` and to return the weights."""
    called: list[bool] = []

    def midway() -> None:
        called.append(True)
        training.midway()

    weights = inner(contract, replace(training, midway=midway))
    name = f"{type(contract).__name__}.train"
    assert weights is not None, f"{name} returned None: return the weights, comparable with =="
    assert called or training.stop or training.resume_from is not None, f"{name} did not call training.midway()"
    return weights


def train_elsewhere(
    contract: Any, training: Training, ending: str = "none", *, parents: WarmParents | None = None
) -> Process:
    """Start the training in a process of its own; its midway is what `ENDINGS` calls by the name `ending`.

    With `parents` it is forked from a process that has imported the contract's `warm` modules, if it names any.
    """
    cls = type(contract)
    what = {"file": sys.modules[cls.__module__].__file__, "module": cls.__module__, "class": cls.__qualname__}
    resume = None if training.resume_from is None else str(training.resume_from)
    how = {"folder": str(training.folder), "how": training.how, "resume": resume, "longer": training.longer}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = ["-c", PROGRAM, json.dumps({**what, **how, "ending": ending})]
    parent = parents.parent((*contract.warm, "pytest"), environment) if parents and contract.warm else None
    return Process(arguments, environment, Path.cwd(), parent)


def modules_of_plugins(integration: str, modules: Iterable[str]) -> list[str]:
    """Return those of the modules that are imported when a process loads the plugins and switches autolog on."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = Process(["-c", LOADING, integration, *modules], environment, Path.cwd())
    try:
        return process.succeed().split()
    finally:
        process.end()


def load_plugins(integration: str, *modules: str) -> None:
    """Start a first run with autolog on, and print which modules that has imported; called in a process of its own."""
    import runlore

    with runlore.autolog(integration), runlore.start_run("before any training"):
        print(*(name for name in modules if name in sys.modules))  # noqa: T201  # the test reads it


def main(text: str) -> None:
    """Train as `train_elsewhere` has asked; called in the process of its own."""
    warnings.simplefilter("ignore")
    asked = json.loads(text)
    contract = _load(asked["file"], asked["module"], asked["class"])()
    resume = None if asked["resume"] is None else Path(asked["resume"])
    folder = Path(asked["folder"])
    try:
        train(contract, Training(folder, asked["how"], ENDINGS[asked["ending"]], resume, asked["longer"]))
    except ValueError as error:
        if asked["ending"] != "fail":
            raise
        print(*(run.status for run in open_store().runs("parent is None")), error, sep="; ")  # noqa: T201  # the test reads it


def random_states() -> bytes:
    """Return the global random states of Python, and of numpy and torch where they are loaded."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    states: list[Any] = [random.getstate()]
    states += [] if numpy is None else [str(numpy.random.get_state(legacy=False))]
    states += [] if torch is None else [torch.get_rng_state().tolist()]
    return pickle.dumps(states)


def _load(file: str, module: str, name: str) -> Any:
    """Return a class of a test file; the file's folder need not be on the path."""
    spec = importlib.util.spec_from_file_location(module, file)
    assert spec is not None
    assert spec.loader is not None
    found: Any = importlib.util.module_from_spec(spec)
    sys.modules[module] = found
    spec.loader.exec_module(found)
    for part in name.split("."):
        found = getattr(found, part)
    return found
