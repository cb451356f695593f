"""Checkpoints that a framework writes: recorded at once, hashed and kept on a thread of their own."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runlore._ids import new_suffix
from runlore._settings import CHECKPOINTS, choice
from runlore._threads import OwnThread
from runlore._warnings import report, valid_or
from runlore.artifacts.events import extent, hashed, kept_or_hashed, local_path
from runlore.log import liveness
from runlore.log.events import Event
from runlore.log.record import read_record
from runlore.log.values import as_number, as_step
from runlore.plugins.manager import plugins
from runlore.provenance.trust import Proven
from runlore.recording.run import Run

END_WAIT_S = 5.0  # seconds that the end of a fit waits for hashes and copies; readers complete the rest
REMOVAL_WAIT_S = 1.0  # seconds that a removal waits for a hash under way, where an open file would hinder it
VERSION_DIGITS = 10  # of the name of a version

KEPT_ROLES = ("best", "last")  # and those that begin with "best_"

Later = Callable[[Callable[[], None]], object]  # hands a function to the thread that writes a checkpoint


class _GivenUp(Exception):
    """The fit has ended, or the file is about to be removed."""


@dataclass(eq=False, slots=True)
class _Version:
    """One content of a path. `size` and `mtime_ns` are None until it is known to be written."""

    path: Path
    roles: set[str]
    id: str = field(default_factory=lambda: new_suffix(VERSION_DIGITS))
    size: int | None = None
    mtime_ns: int | None = None
    kept: bool = False
    refused: str | None = None  # why it is not to be opened any more
    idle: threading.Event = field(default_factory=threading.Event)  # nobody has it open


class Checkpoints:
    """The checkpoints of one fit. The training thread calls it; `settle` ends it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._keep = valid_or(CHECKPOINTS[0], choice, "checkpoints", CHECKPOINTS)
        self._versions: dict[Path, _Version] = {}  # the newest of each path that exists
        self._holders: dict[str, _Version] = {}  # by role
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()  # None ends the thread
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # held while an event is written
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
        later: Later | None,
    ) -> None:
        """Record a file or folder that was written; see `FitSession.checkpoint`."""
        place = local_path(path)
        event: Event = {"type": "artifact", "name": Path(path).name, "kind": "checkpoint", "path": os.fspath(path)}
        event |= {"step": as_step(step), "epoch": as_number(epoch), "roles": list(roles)}
        if monitor is not None:
            event |= {"monitor": str(monitor), "value": as_number(value)}
        event |= {"size": None, "sha256": None, "stored": False}
        if place is None:
            self._write(event | {"why": "it is not on a disk of this machine"})
            return
        version = _Version(place, set(roles))
        event |= {"path": str(place), "id": version.id}
        try:
            if later is None:
                version.size, version.mtime_ns = extent(place)
        except OSError as error:
            self._write(event | {"why": f"it could not be hashed: {error.strerror or error}"})
            return
        self._note_newest(version)
        self._write(event | {"pending": True, "size": version.size, "mtime_ns": version.mtime_ns})
        if later is None:
            self._do_later(lambda: self._complete(version, keep=self._keep == "all"))
        else:
            later(lambda: self._written(version))

    @contextmanager
    def removing(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """Let a file or folder be removed in the block; recorded if it is gone then. Only the block may raise."""
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
        """Record the checkpoints that somebody has removed."""
        for place in [place for place in self._versions if not os.path.lexists(place)]:
            self._forget(place)

    def settle(self) -> None:
        """End with the fit: keep the best and the last one, and wait a while for open work."""
        self.check_removed()
        wanted = [version for version in self._versions.values() if self._is_wanted(version)]
        wanted += self._left_by_earlier_segments()
        for version in wanted:  # recorded before it is done, as the wait may be cut off
            self._write(_completion(version) | {"pending": True, "keep": True})
            self._do_later(lambda version=version: self._complete(version, keep=True))  # type: ignore[misc]
        try:
            self._queue.put(None)
            if self._thread is not None:
                self._thread.join(END_WAIT_S)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the thread, and write nothing more."""
        with self._lock:
            self._over = True
        self._queue.put(None)

    # On the thread

    def _do_later(self, work: Callable[[], None]) -> None:
        self._queue.put(work)
        with self._lock:
            if self._thread is not None:
                return
            self._thread = OwnThread(self._work, "runlore-checkpoints")
            try:
                self._thread.start()
            except RuntimeError:  # no thread to be had: readers complete what is pending
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
        """Note size and time of a version; called by the thread that has written it, before it writes another."""
        with suppress(OSError):  # gone already: the hash will say so
            version.size, version.mtime_ns = extent(version.path)
        self._do_later(lambda: self._complete(version, keep=self._keep == "all"))

    def _complete(self, version: _Version, *, keep: bool) -> None:
        """Record the hash of a version, and keep it if wanted and possible."""
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
        if self._write(_completion(version) | found):
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

    # Roles and removal

    def _note_newest(self, version: _Version) -> None:
        """Give a version its roles, which others lose, and its path."""
        for role in version.roles:
            if role in self._holders:
                self._holders[role].roles.discard(role)
            self._holders[role] = version
        self._versions[version.path] = version

    def _is_wanted(self, version: _Version) -> bool:
        return self._keep == "best" and not version.kept and _is_kept(version.roles)

    def _left_by_earlier_segments(self) -> Iterator[_Version]:
        """Return the best and last checkpoints of earlier segments that were cut off before they could keep them."""
        if self._run.run_log.mode != "resume" or self._keep != "best":
            return
        proven = Proven(self._run.folder, self._run.id)
        for item in read_record(self._run.folder, self._run.id)[0].artifacts:
            roles = set(item.get("roles") or ())
            place = Path(item.get("path") or "")
            if not (_is_kept(roles) and "id" in item) or place in self._versions or item.get("stored"):
                continue
            if proven.has(item):  # else it may be any file of this user's
                yield _Version(place, roles, item["id"], item.get("size"), item.get("mtime_ns"))

    def _forget(self, place: Path) -> None:
        """Record that a path is gone; an earlier segment may have written it."""
        self._versions.pop(place, None)
        self._write({"type": "removed", "path": str(place)})

    def _release(self, version: _Version) -> None:
        """Wait until nobody hashes a file on a network disk, where an open file would keep its folder from going."""
        with suppress(OSError):  # the folder is gone already
            if liveness.on_network_disk(version.path.parent):
                version.refused = "it was removed before it was hashed"
                version.idle.wait(REMOVAL_WAIT_S)

    def _write(self, event: Event) -> bool:
        """Write an event and return True, unless the fit is over."""
        with self._lock:
            if not self._over:
                self._run.run_log.event(event)
            return not self._over


def best_roles(monitors: Sequence[str], place: int) -> tuple[str, ...]:
    """Return the roles of the best checkpoint by the monitor at a place, of all that checkpoints are ranked by.

    The first one's is "best". Where several rank, each has a role of its own besides: "best_<monitor>", and
    "best_<monitor>_2" for a second one of the same.
    """
    monitor = monitors[place]
    number = monitors[: place + 1].count(monitor)
    own = f"best_{monitor}" if number == 1 else f"best_{monitor}_{number}"
    return ("best",) * (place == 0) + (own,) * (len(monitors) > 1)


def _is_kept(roles: Iterable[str]) -> bool:
    return any(role in KEPT_ROLES or role.startswith("best_") for role in roles)


def _completion(version: _Version) -> Event:
    return {"type": "artifact", "completes": True, "path": str(version.path), "id": version.id}
