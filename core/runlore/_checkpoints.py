"""Checkpoints that a framework writes: recorded at once, hashed and kept on a thread of their own."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runlore import _liveness
from runlore._artifacts import extent, hashed, kept_path
from runlore._blobs import Blobs
from runlore._run import Run
from runlore._settings import choice
from runlore._writer import as_number, as_step, report
from runlore.errors import SettingError

TIMEOUT = 5.0  # seconds that the end of a fit waits for hashes and copies; readers complete the rest
COPY_BYTES = 2 << 30  # above which a file is kept only where the disk can share its blocks
FREE_PART = 0.1  # of the free room that a copy may take
RELEASE = 1.0  # seconds that a removal waits for a hash under way, where an open file would hinder it
KEEP = ("best", "none", "all")  # what RUNLORE_CHECKPOINTS may say; "best" stands for best and last
KEPT_ROLES = {"best", "last"}

Event = dict[str, Any]


class _GivenUp(Exception):
    """The fit has ended, or the file is about to be removed."""


@dataclass(eq=False, slots=True)
class _Version:
    """One content of a path. `size` and `mtime_ns` are None until it is known to be written."""

    path: Path
    roles: set[str]
    ready: Callable[[], object] | None
    size: int | None = None
    mtime_ns: int | None = None
    kept: bool = False
    released: threading.Event = field(default_factory=threading.Event)  # nobody may open it any more
    idle: threading.Event = field(default_factory=threading.Event)  # nobody has it open


class Checkpoints:
    """The checkpoints of one fit. Called by the training thread; `settle` ends it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._keep = _what_to_keep()
        self._versions: dict[Path, _Version] = {}  # the newest of each path that is there
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # held while something is told to the run
        self._over = False

    def saved(
        self,
        path: str | os.PathLike[str],
        *,
        step: int | None,
        epoch: float | None,
        monitor: str | None,
        value: Any,
        roles: tuple[str, ...],
        ready: Callable[[], object] | None,
    ) -> None:
        """A file or folder was written; see `FitSession.checkpoint`."""
        place = _place(path)
        version = _Version(place, set(roles), ready)
        event: Event = {"type": "artifact", "name": place.name, "kind": "checkpoint", "path": str(place)}
        event |= {"step": as_step(step), "epoch": as_number(epoch), "roles": list(roles)}
        if monitor is not None:
            event |= {"monitor": str(monitor), "value": as_number(value)}
        event |= {"size": None, "sha256": None, "stored": False}
        if "://" in os.fspath(path):
            self._tell(event | {"path": os.fspath(path), "why": "it is not on a disk of this machine"})
            return
        for other in self._versions.values():
            other.roles -= version.roles
        try:
            if ready is None:
                version.size, version.mtime_ns = extent(place)
        except OSError as error:
            self._tell(event | {"why": f"it could not be hashed: {error.strerror or error}"})
            return
        self._tell(event | {"pending": True, "size": version.size, "mtime_ns": version.mtime_ns})
        self._versions[place] = version
        self._later(lambda: self._complete(version, keep=self._keep == "all"))

    @contextmanager
    def removing(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """Somebody removes a file or folder in the block; told where it is gone then. Only the block may raise."""
        place = _place(path)
        version = self._versions.get(place)
        if version is not None:
            self._release(version)
        try:
            yield
        finally:
            if not os.path.lexists(place):
                self._versions.pop(place, None)  # one that an earlier segment wrote is not among them
                self._tell({"type": "removed", "path": str(place)})

    def settle(self) -> None:
        """The fit ends: keep best and last, and wait a while for what is not done."""
        wanted = [version for version in self._versions.values() if self._is_wanted(version)]
        for version in wanted:
            self._later(lambda version=version: self._complete(version, keep=True))  # type: ignore[misc]
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join(TIMEOUT)
        for version in wanted:
            if not version.kept and self._thread.is_alive():
                self._tell(_completion(version) | {"pending": True, "keep": True})
        with self._lock:
            self._over = True

    # On the thread

    def _later(self, work: Callable[[], None]) -> None:
        self._queue.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="runlore-checkpoints", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no thread to be had: readers hash what is pending
                self._thread = None

    def _work(self) -> None:
        for work in iter(self._queue.get, None):
            if self._over:
                return
            try:
                work()
            except Exception as error:  # a framework's own promise of a file may raise anything
                report(f"a checkpoint is recorded without its hash: {type(error).__name__}: {error}")

    def _complete(self, version: _Version, *, keep: bool) -> None:
        """Tell the hash of a version, and keep it if wanted and possible."""
        if version.ready is not None:
            version.ready()
            version.ready = None
        try:
            found = self._content(version, keep=keep)
        except _GivenUp:
            if not version.released.is_set():
                return
            found = {"why": "it was removed before it was hashed"}
        except OSError as error:
            found = {"why": f"it could not be {'kept' if keep else 'hashed'}: {error.strerror or error}"}
        finally:
            version.idle.set()
        self._tell(_completion(version) | found)

    def _content(self, version: _Version, *, keep: bool) -> Event:
        path = version.path

        def proceed() -> None:
            if self._over or version.released.is_set():
                raise _GivenUp

        version.idle.clear()
        proceed()
        before = extent(path)
        if version.size is None:
            version.size, version.mtime_ns = before
        if before != (version.size, version.mtime_ns):
            return {"why": "it was changed before it was hashed"}
        found: Event = hashed(path, proceed) if not keep else kept_path(path, self._blobs(), self._room(), proceed)
        if extent(path) != before:
            return {"why": "it was changed while it was hashed", "stored": False}
        version.kept = keep
        return {"size": version.size, **found}

    def _blobs(self) -> Blobs:
        return Blobs(self._run._folder.blobs)

    def _room(self) -> int:
        """Bytes that a copy may have."""
        with suppress(OSError):
            return min(COPY_BYTES, int(shutil.disk_usage(self._run._folder.root).free * FREE_PART))
        return 0

    def _is_wanted(self, version: _Version) -> bool:
        return self._keep == "best" and not version.kept and bool(version.roles & KEPT_ROLES)

    def _release(self, version: _Version) -> None:
        """Close a file that is being hashed where that would keep its folder from going: on network disks."""
        with suppress(OSError):  # the folder is gone already
            if _liveness.on_network_disk(version.path.parent):
                version.released.set()
                version.idle.wait(RELEASE)

    def _tell(self, event: Event) -> None:
        with self._lock:
            if not self._over:
                self._run._event(event)


def _place(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # unlike resolve() it leaves links alone


def _completion(version: _Version) -> Event:
    return {"type": "artifact", "completes": True, "path": str(version.path), "mtime_ns": version.mtime_ns}


def _what_to_keep() -> str:
    try:
        return choice("checkpoints", KEEP)
    except SettingError as error:  # nothing that is worth ending a training for
        report(str(error))
        return KEEP[0]
