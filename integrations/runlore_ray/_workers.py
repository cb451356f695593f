"""The user's own code in a worker of Ray's: its fits are runs below that of its trial, or of its training.

Functions are sent there by value: where runlore is not installed there, the user's code runs as ever.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import runlore
from runlore import FitSession, Store, guest
from runlore.guest.launch import Launch
from runlore.guest.wrapping import guarded_block
from runlore_ray._framework import NAME


@dataclass(frozen=True, slots=True)
class Told:
    """Tells a worker the store, the run that its own lies below or is, and what autolog records."""

    store: str
    run: str
    autologged: tuple[str, ...]


def told_of(session: FitSession) -> Told:
    """Return what the workers of a recorded training are told."""
    names = guest.autologged() if NAME in guest.autologged() else frozenset()
    return Told(str(session.run.folder.root), session.run.id, tuple(sorted(names)))


class Workplace(guest.Part):
    """The run that this worker's fits are below: that of its training, or of the trial that it has been given last."""

    rank = 3  # behind the runs

    def __init__(self) -> None:
        self._for: tuple[str, str | None] | None = None
        self._run: Any = None

    def run_of(self, told: Told, trial: str | None) -> Any:
        """Return the run, open for additions; None where it is not found."""
        if self._for != (told.run, trial):
            self.end()
            store = Store(told.store)
            found = told.run
            if trial is not None:
                below = store.runs(f"tags.trial == {trial!r} and parent == {told.run!r}", sort="-id", limit=1)
                found = next((item.id for item in below), "")
            launch = Launch("", told.store, found, in_group=True, pid=0)
            self._run = launch.attached() if found else None
            self._for = told.run, trial
            if self._run is not None and told.autologged:
                runlore.autolog(*told.autologged)
        return self._run

    def end(self) -> None:
        """Close the run."""
        run, self._run = self._run, None
        if run is not None:
            run.finish()


@guarded_block
@contextmanager
def at_work(told: Told, trial: str | None = None, *, leads: bool = True) -> Iterator[None]:
    """Let fits in the block be below the run of a trial, or of a training; those of a worker that follows are none."""
    if not leads:
        with guest.unrecorded():
            yield
        return
    run = guest.part(Workplace).run_of(told, trial)
    if run is None:
        yield
        return
    with run.as_parent():
        yield


def trainable_at_work(trainable: Any, told: Told) -> Any:
    """Return a class that trains as another one does, below the run of its trial."""
    name = "_trainable_func" if hasattr(trainable, "_trainable_func") else "step"  # of a function, of a class
    original, plainly = getattr(trainable, name), astuple(told)

    @guest.unseen
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_ray._workers import Told, at_work
        except ImportError:
            return original(self, *args, **kwargs)
        with at_work(Told(*plainly), self.trial_id):
            return original(self, *args, **kwargs)

    same = {key: getattr(trainable, key) for key in ("__module__", "__qualname__", "__doc__")}
    return type(trainable)(trainable.__name__, (trainable,), {**same, name: functools.wraps(original)(method)})


def loop_at_work(loop: Callable[[], Any], told: Told) -> Callable[[], Any]:
    """Return a function that does as the loop of a training's worker, below the run of the training."""
    plainly = astuple(told)

    @guest.unseen
    def recorded() -> Any:
        try:
            from runlore_ray._workers import Told, at_work
        except ImportError:
            return loop()
        from ray.train import get_context

        with at_work(Told(*plainly), leads=get_context().get_world_rank() == 0):
            return loop()

    return functools.wraps(loop)(recorded)
