"""Checkpoints that a framework writes: recorded at once, hashed and kept on a thread of their own."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runlore._ids import new_suffix
from runlore._settings import KEEP, choice
from runlore._warnings import report
from runlore.artifacts.events import extent, hashed, kept_or_hashed, local_path
from runlore.errors import SettingError
from runlore.log import liveness
from runlore.log.record import read_record
from runlore.log.values import as_number, as_step
from runlore.plugins.manager import plugins
from runlore.recording.run import Run

TIMEOUT = 5.0  # seconds that the end of a fit waits for hashes and copies; readers complete the rest
RELEASE = 1.0  # seconds that a removal waits for a hash under way, where an open file would hinder it

KEPT_ROLES = {"best", "last"}

Event = dict[str, Any]


class _GivenUp(Exception):
    """The fit has ended, or the file is about to be removed."""


@dataclass(eq=False, slots=True)
class _Version:
    """One content of a path. `size` and `mtime_ns` are None until it is known to be written."""

    path: Path
    roles: set[str]
    id: str = field(default_factory=lambda: new_suffix(10))
    size: int | None = None
    mtime_ns: int | None = None
    kept: bool = False
    refused: str | None = None  # why it is not to be opened any more
    idle: threading.Event = field(default_factory=threading.Event)  # nobody has it open


class Checkpoints:
    """The checkpoints of one fit. Called by the training thread; `settle` ends it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._keep = _what_to_keep()
        self._versions: dict[Path, _Version] = {}  # the newest of each path that is there
        self._holders: dict[str, _Version] = {}  # of roles
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
        later: Callable[[Callable[[], None]], object] | None,
    ) -> None:
        """A file or folder was written; see `FitSession.checkpoint`."""
        place = local_path(path)
        event: Event = {"type": "artifact", "name": Path(path).name, "kind": "checkpoint", "path": os.fspath(path)}
        event |= {"step": as_step(step), "epoch": as_number(epoch), "roles": list(roles)}
        if monitor is not None:
            event |= {"monitor": str(monitor), "value": as_number(value)}
        event |= {"size": None, "sha256": None, "stored": False}
        if place is None:
            self._tell(event | {"why": "it is not on a disk of this machine"})
            return
        version = _Version(place, set(roles))
        event |= {"path": str(place), "id": version.id}
        try:
            if later is None:
                version.size, version.mtime_ns = extent(place)
        except OSError as error:
            self._tell(event | {"why": f"it could not be hashed: {error.strerror or error}"})
            return
        for role in roles:
            if role in self._holders:
                self._holders[role].roles.discard(role)
            self._holders[role] = version
        self._versions[place] = version
        self._tell(event | {"pending": True, "size": version.size, "mtime_ns": version.mtime_ns})
        if later is None:
            self._later(lambda: self._complete(version, keep=self._keep == "all"))
        else:
            later(lambda: self._written(version))

    @contextmanager
    def removing(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """Somebody removes a file or folder in the block; told where it is gone then. Only the block may raise."""
        place = local_path(path)
        version = self._versions.get(place) if place is not None else None
        if version is not None:
            self._release(version)
        try:
            yield
        finally:
            if place is not None and not os.path.lexists(place):
                self._forget(place)

    def check_removed(self) -> None:
        """Tell which of them somebody has removed."""
        for place in [place for place in self._versions if not os.path.lexists(place)]:
            self._forget(place)

    def settle(self) -> None:
        """The fit ends: keep best and last, and wait a while for what is not done."""
        self.check_removed()
        wanted = [version for version in self._versions.values() if self._is_wanted(version)]
        wanted += self._left_by_earlier_segments()
        for version in wanted:  # told before it is done, as the wait may be cut off
            self._tell(_completion(version) | {"pending": True, "keep": True})
            self._later(lambda version=version: self._complete(version, keep=True))  # type: ignore[misc]
        try:
            self._queue.put(None)
            if self._thread is not None:
                self._thread.join(TIMEOUT)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Nothing more is told; the thread ends."""
        with self._lock:
            self._over = True
        self._queue.put(None)

    # On the thread

    def _later(self, work: Callable[[], None]) -> None:
        self._queue.put(work)
        with self._lock:
            if self._thread is not None:
                return
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
            except Exception as error:  # a plugin's own rewriting may raise anything
                report(f"a checkpoint is recorded without its hash: {type(error).__name__}: {error}")

    def _written(self, version: _Version) -> None:
        """Called by the thread that has just written a version, before it writes another."""
        with suppress(OSError):  # gone already: the hash will say so
            version.size, version.mtime_ns = extent(version.path)
        self._later(lambda: self._complete(version, keep=self._keep == "all"))

    def _complete(self, version: _Version, *, keep: bool) -> None:
        """Tell the hash of a version, and keep it if wanted and possible."""
        try:
            found = self._content(version, keep=keep)
        except _GivenUp:
            if version.refused is None:
                return
            found = {"why": version.refused}
        except OSError as error:
            found = {"why": f"it could not be {'kept' if keep else 'hashed'}: {error.strerror or error}"}
        finally:
            version.idle.set()
        if self._tell(_completion(version) | found):
            version.kept = keep

    def _content(self, version: _Version, *, keep: bool) -> Event:
        path = version.path

        def proceed() -> None:
            if self._over or version.refused is not None:
                raise _GivenUp

        version.idle.clear()
        proceed()
        if version.size is None:
            raise _GivenUp  # it is still being written
        before = extent(path)
        if before != (version.size, version.mtime_ns):
            return {"why": "it was changed before it was hashed"}
        blobs = self._run.run_log.blobs
        found: Event = kept_or_hashed(path, blobs, plugins().rewrite_file, proceed) if keep else hashed(path, proceed)
        if extent(path) != before:
            return {"why": "it was changed while it was hashed", "stored": False}
        return {"size": version.size, "mtime_ns": version.mtime_ns, **found}

    # What else there is to know

    def _is_wanted(self, version: _Version) -> bool:
        return self._keep == "best" and not version.kept and bool(version.roles & KEPT_ROLES)

    def _left_by_earlier_segments(self) -> Iterator[_Version]:
        """The best or last one of a run that was cut off before it could be kept, if it is still there."""
        if self._run.run_log.mode != "resume" or self._keep != "best":
            return
        for item in read_record(self._run.folder, self._run.id)[0].artifacts:
            roles = set(item.get("roles") or ())
            place = Path(item.get("path") or "")
            if roles & KEPT_ROLES and "id" in item and place not in self._versions and not item.get("stored"):
                yield _Version(place, roles, item["id"], item.get("size"), item.get("mtime_ns"))

    def _forget(self, place: Path) -> None:
        """A path is gone; it may be one that an earlier segment wrote."""
        self._versions.pop(place, None)
        self._tell({"type": "removed", "path": str(place)})

    def _release(self, version: _Version) -> None:
        """Close a file that is being hashed where that would keep its folder from going: on network disks."""
        with suppress(OSError):  # the folder is gone already
            if liveness.on_network_disk(version.path.parent):
                version.refused = "it was removed before it was hashed"
                version.idle.wait(RELEASE)

    def _tell(self, event: Event) -> bool:
        with self._lock:
            if not self._over:
                self._run.run_log.event(event)
            return not self._over


def _completion(version: _Version) -> Event:
    return {"type": "artifact", "completes": True, "path": str(version.path), "id": version.id}


def _what_to_keep() -> str:
    try:
        return choice("checkpoints", KEEP)
    except SettingError as error:  # nothing that is worth ending a training for
        report(str(error))
        return KEEP[0]
