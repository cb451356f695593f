"""The files of a script, noted as it reads and writes them and looked at behind it, on a thread of our own."""

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from runlore._process import Part, process
from runlore._threads import OwnThread
from runlore._warnings import report
from runlore.recording.current import current_run, is_any_open
from runlore.recording.ranks import has_trained, is_child, is_follower, leads

if TYPE_CHECKING:
    from pathlib import Path

    from runlore.guest.files.written import Place
    from runlore.recording.run import Run

REST_S = 0.25  # between a note and the look at it: a file that is open may be closed by then
END_WAIT_S = 5.0  # that the end of a run waits for hashes and copies; readers complete the rest
MAX_CLAIMED = 1000  # paths


class Training(Protocol):
    """A training as this module needs it: `place` returns its step and epoch, and is None before and behind it."""

    run: "Run"
    place: "Callable[[], Place] | None"


class _GivenUp(Exception):
    """The run is about to end, or has waited long enough."""


class _Of:
    """The files of one run."""

    def __init__(self, run: "Run") -> None:
        from runlore.guest.files.inputs import InputFiles  # late: imports of libraries wait for this file
        from runlore.guest.files.written import WrittenFiles

        self.run = run
        self.written = WrittenFiles(run)
        self.inputs = InputFiles(run)
        self.looking = threading.RLock()
        self.hurries = False  # somebody waits for the lock


class Files(Part):
    """The files of the runs of this process. Any thread may note one."""

    rank = 1

    def __init__(self) -> None:
        self.is_of_worker = is_follower() or is_child()
        self._lock = threading.RLock()
        self._runs: dict[str, _Of] = {}
        self._claimed: dict[str, None] = {}
        self.trainings: weakref.WeakSet[Training] = weakref.WeakSet()
        self._noted = threading.Event()
        self._thread: threading.Thread | None = None

    def wrote(self, run: "Run", path: str, kind: str) -> None:
        """Note a file that was written, at the step of the run's training, or of the only one below it."""
        at = self._place_in(run)
        with self._lock:
            if path not in self._claimed:
                self._of(run).written.note(path, kind, at)
                self._begin()

    def read(self, run: "Run", path: str, reader: str) -> None:
        """Note a file that was read, once; one that the run has written itself is no input."""
        found = self._runs.get(run.id)
        if found is not None and (path in found.inputs or path in found.written):
            found.inputs.note_again(path, reader)
            return
        with self._lock:
            self._of(run).inputs.note(path, reader)
            self._begin()

    def moved(self, run: "Run", source: str, target: str, *, is_copy: bool) -> None:
        """Note that a file that the run has written lies elsewhere now, too or only; any other is passed over."""
        found = self._runs.get(run.id)
        kind = None if found is None else found.written.kind_of(source)
        if found is not None and kind is not None:
            with self._lock:
                if not is_copy:
                    found.written.forget(source)
            self.wrote(run, target, kind)

    def claim(self, path: str) -> None:
        """Leave a path to the integration that records what lies there."""
        with self._lock:
            self._claimed[path] = None
            if len(self._claimed) > MAX_CLAIMED:
                del self._claimed[next(iter(self._claimed))]
            for found in self._runs.values():
                found.written.forget(path)

    def settle(self, run: "Run") -> None:
        """Look at all files of a run that is about to end; wait a while for their hashes and copies."""
        until = time.monotonic() + END_WAIT_S
        with self._lock:
            found = self._runs.pop(run.id, None)
        if found is None:
            return
        self._noted.set()  # the thread ends behind the last run
        found.hurries = True
        if found.looking.acquire(timeout=END_WAIT_S):
            try:
                _harmless(lambda: self._settle(found, until))
            finally:
                found.looking.release()

    def end(self) -> None:
        """Settle all runs: the process ends."""
        for found in list(self._runs.values()):
            self.settle(found.run)

    def _place_in(self, run: "Run") -> "Place":
        """Return step and epoch of the training of a run, or of the only one below it; (None, None) without one."""
        training = [item for item in list(self.trainings) if item.place is not None]
        own = [item for item in training if item.run is run]
        found = own or [item for item in training if item.run.run_log.opening.get("parent") == run.id]
        place = found[0].place if len(found) == 1 else None
        return (None, None) if place is None else place()

    def _settle(self, found: _Of, until: float) -> None:
        def proceed() -> None:
            if time.monotonic() > until:
                raise _GivenUp

        for part in (found.inputs, found.written):
            try:
                part.settle(proceed)
            except _GivenUp:
                continue

    def _of(self, run: "Run") -> _Of:
        found = self._runs.get(run.id)
        if found is None:
            found = self._runs[run.id] = _Of(run)
            run.companions.before_end.append(lambda: self.settle(run))
        return found

    def _begin(self) -> None:
        self._noted.set()
        if self._thread is None:
            self._thread = OwnThread(self._work, "runlore-files")
            try:
                self._thread.start()
            except RuntimeError:  # no thread to be had: the end of the run does it all
                self._thread = None

    def _work(self) -> None:
        while True:
            self._noted.wait()
            time.sleep(REST_S)
            self._noted.clear()
            with self._lock:
                if not self._runs:
                    self._thread = None
                    return
            for found in list(self._runs.values()):
                with found.looking:
                    if not found.run.ended:
                        _harmless(lambda found=found: _look(found))  # type: ignore[misc]


def _look(found: _Of) -> None:
    def proceed() -> None:
        if found.hurries:
            raise _GivenUp

    if found.hurries:
        return
    try:
        found.inputs.look(proceed)
        found.written.look(proceed)
    except _GivenUp:
        return


def _harmless(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:  # a plugin's own rewriting may raise anything, and so may a disk
        report(f"a file of this script is not recorded: {type(error).__name__}: {error}")


def wrote(target: Any, kind: str) -> None:
    """Note in the current run that the user's code has written a file or folder at a path; others are passed over."""
    if is_any_open():
        run, path = _run_and_path(target)
        if run is not None and path is not None:
            process.part(Files).wrote(run, path, kind)


def read(source: Any, reader: str) -> None:
    """Note in the current run that the user's code has read a file or folder, by a function; see `wrote`."""
    if is_any_open():
        run, path = _run_and_path(source)
        if run is not None and path is not None:
            process.part(Files).read(run, path, reader)


def moved(source: Any, target: Any, *, is_copy: bool) -> None:
    """Note in the current run that a file that it has written was copied or renamed; any other is passed over."""
    if is_any_open() and isinstance(source, str | os.PathLike):
        run, path = _run_and_path(source)
        place = local(target) if isinstance(target, str | os.PathLike) else None
        if run is not None and path is not None and place is not None:
            process.part(Files).moved(run, path, str(place), is_copy=is_copy)


def follow(training: Training) -> None:
    """Give what is written from now on in its run the step of a training."""
    process.part(Files).trainings.add(training)


def claim(path: str | os.PathLike[str]) -> None:
    """Leave a path to the integration that records what lies there."""
    place = local(path)
    if place is not None:
        process.part(Files).claim(str(place))


def _run_and_path(target: Any) -> "tuple[Run | None, str | None]":
    run = None if process.part(Files).is_of_worker and not (leads() or has_trained()) else current_run()
    if run is None or run.run_log.writer is None:
        return None, None
    if not isinstance(target, str | os.PathLike):
        target = _name_of_open(target)
    place = None if target is None else local(target)
    return run, None if place is None else str(place)


def _name_of_open(file: Any) -> str | None:
    """Return the path of an open file that is one on a disk; None for whatever else has been written to."""
    try:
        name, status = file.name, os.fstat(file.fileno())
        return name if isinstance(name, str) and os.path.samestat(os.stat(name), status) else None  # noqa: PTH116
    except (AttributeError, OSError, TypeError, ValueError):  # a buffer, a pipe, a class of the user's
        return None


def local(name: "str | os.PathLike[str]") -> "Path | None":
    """Return the place on a disk that a name tells; see `local_path`."""
    from runlore.artifacts.events import local_path  # late: as above

    return local_path(name)
