"""Find the run of a training call: the user's open run, a child of it, the one that wrote a checkpoint, a new one."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runlore._frozen import changed
from runlore._inside import open_file
from runlore._settings import disabled_names, read_once
from runlore._warnings import report, valid_or
from runlore.artifacts.events import local_path
from runlore.guest.additions import writer_of
from runlore.guest.files.named import note_constants
from runlore.guest.fits import around, is_part
from runlore.guest.request import FitRequest
from runlore.log.events import Event
from runlore.log.folder import Folder
from runlore.log.record import REFIT_OF, RESUMED_FROM, STARTED_FROM, read_files
from runlore.recording import open_runs
from runlore.recording.current import context_run, users_run
from runlore.recording.ranks import is_follower, lead, may_train, was_launched
from runlore.recording.run import Run, attach
from runlore.recording.run_log import segment_of
from runlore.recording.starting import StartRequest, start
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.guest.launch import Launch
    from runlore.provenance.origins import Writing

PURPOSE = "purpose"  # the tag of a run that only evaluates
LOCK_S = 10.0  # that one process waits for others that begin a run of the same
SHARED = "shared"  # the tag of a run that several processes work on, with what names that


@dataclass(frozen=True, slots=True)
class Opened:
    """The run of a training call, `owned` unless it is the user's; `links` are still to be recorded."""

    run: Run
    owned: bool
    links: tuple[tuple[str, str, int | None, str | None], ...]  # arguments of `link`


def open_for(integration: str, request: FitRequest) -> Opened | None:
    """Open, join or continue the run of a training call; None where nothing is to be recorded. Never raises."""
    if is_part(integration, asked=request.asked and not request.visits) or not _may_record(request):
        return None
    try:
        with read_once():
            if valid_or(frozenset[str](), disabled_names) & {"all", integration}:
                return None
            opened = _open(integration, request)
            note_constants()
            return opened
    except Exception as error:  # a framework calls us here, and must not meet our exceptions
        report(f"{integration}: this training is not recorded: {type(error).__name__}: {error}")
        return None


def visit(integration: str, tags: Mapping[str, str]) -> Opened | None:
    """Return the run for an evaluation of a model that no run has made, where the user has a run open; else None.

    It is the user's run, which it leaves to the first training, or a child of that where something else is recorded
    there: such a one has ended, and what is learnt is added to it. Never raises.
    """
    outer = users_run()
    if outer is None or outer.fit.is_group:
        return None
    opened = open_for(integration, FitRequest(tags=tags, visits=True))
    if opened is not None and opened.owned:
        opened.run.finish()
    return opened


def _open(integration: str, request: FitRequest) -> Opened:
    launch = request.launch
    outer, may_join = around(integration), False
    if outer is None:
        outer, may_join = _outer(launch)
    origin = None if request.resume_from is None else _origin(_store_of(request), request.resume_from)
    tags = {"integration": integration, **(request.tags or {})}
    if request.continues is not None and not request.continues.ended:
        return Opened(request.continues, owned=False, links=())
    if outer is not None and may_join and _joins(outer, request):
        outer.set_tags(tags)
        outer.fit.leads = outer.fit.leads or request.shared is not None
        return Opened(outer, owned=False, links=tuple(_links(request, origin, outer, outer)))
    wanted = StartRequest(
        name=request.name,
        experiment=request.experiment or (None if outer is None else outer.run_log.opening.get("experiment")),
        tags={**tags, PURPOSE: "evaluation"} if request.visits else tags,
        leader=request.leader,
        launch=None if launch is None else launch.token,
    )
    if request.shared is not None:
        place = _store_of(request) if outer is None else Store(outer.folder.root)
        with _only_one(place.folder):
            return _open_shared(request, place, wanted, outer)
    if request.continues is not None and origin is None and _is_below(request.continues, outer):
        run = start(request.continues.folder, changed(wanted, resume=request.continues.id, goes_on=True))
        run.set_tags({PURPOSE: None})
    elif outer is not None:
        run = start(outer.folder, changed(wanted, parent=outer.id))
        run.fit.leads = outer.fit.leads
    elif origin is not None:
        run = _continue(_store_of(request), wanted, origin)
    else:
        run = start(_store_of(request).folder, wanted)
    return Opened(run, owned=True, links=tuple(_links(request, origin, outer, run)))


def _store_of(request: FitRequest) -> Store:
    """Return the store that a training asks for: what is below an open run needs it not."""
    launch = request.launch
    return request.store or (Store(launch.store) if launch is not None and launch.store else open_store())


class RunHere:
    """The run open in this context, a thread or a task, that a training which begins here joins or is below."""

    __slots__ = ("_known", "run")

    def __init__(self) -> None:
        self._known = open_runs.known_here()
        self.run = context_run()

    @property
    def is_here(self) -> bool:
        """True where a training would still come to that run; it may be asked at every step."""
        known = open_runs.known_here()
        if known == self._known:
            return True
        if context_run() is not self.run:
            return False
        self._known = known
        return True

    @property
    def has_ended(self) -> bool:
        """True once the run has ended."""
        return self.run is not None and self.run.ended


def stand(run: Run, is_open: bool) -> None:
    """Let fits of this context be children of a run, where no block can stand around them; or no longer.

    It is for what begins by one call and ends by another one: a trial that is asked for, say.
    """
    run.fit.joined = run.fit.joined or is_open
    open_runs.stand(run, is_open)


def _may_record(request: FitRequest) -> bool:
    """Return True in a process that records: one that works for itself, or on what is shared, or as the leader.

    What else the leader does is recorded from now on, too.
    """
    if request.leader:
        lead()
    if request.leader is not None:
        return request.leader
    if may_train():
        return True
    here = context_run()
    return not is_follower() and (request.shared is not None or (here is not None and here.fit.leads))


def _open_shared(request: FitRequest, store: Store, wanted: StartRequest, outer: Run | None) -> Opened:
    """Begin the run of what several processes work on; go on in it, or add to it while another one writes it."""
    tags = {**(wanted.tags or {}), SHARED: request.shared}
    wanted = changed(wanted, tags=tags, parent=None if outer is None else outer.id)
    above = "parent is None" if outer is None else f"parent == {outer.id!r}"
    found = next(iter(store.runs(f"tags.{SHARED} == {request.shared!r} and {above}", sort="-id", limit=1)), None)
    if found is None or (found.status != "running" and request.is_new()):
        run = start(store.folder, wanted)
    elif found.status == "running":
        run = attach(store.folder, found.id)
        run.run_log.opening["experiment"] = found.experiment
    else:
        run = start(store.folder, changed(wanted, resume=found.id, goes_on=True))
    run.fit.leads = True
    return Opened(run, owned=True, links=())


@contextmanager
def _only_one(folder: Folder) -> Iterator[None]:
    """Let one process after the other look for a run, and begin it, for as long as the disk has locks."""
    folder.create()
    descriptor = open_file(folder.root / "format", folder.root, os.O_RDONLY)
    try:
        until = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.01)
                    continue
            except OSError:  # no locks on this disk
                pass
            break
        yield
    finally:
        os.close(descriptor)


def _outer(launch: "Launch | None") -> tuple[Run | None, bool]:
    """Return the user's open run, and whether a training may join it.

    One in another thread, or in a forked process that no launcher started, is always a child: others may train at the
    same time.
    """
    here = context_run()
    if here is not None:
        return here, was_launched() or launch is not None or here.run_log.is_of_this_process
    handed_over = launch.attached() if launch is not None else None
    return (handed_over, True) if handed_over is not None else (users_run(), False)


def _joins(run: Run, request: FitRequest) -> bool:
    """Note that a training joins the user's run; return False if one has, be it in a process of another launch."""
    if run.fit.is_group or run.fit.joined:
        return False  # and nothing is looked up for each of a thousand trials
    launch = request.launch
    is_handed_over = launch is not None and launch.outer == run.id and launch.segment is not None
    segment = launch.segment if launch is not None and is_handed_over else segment_of(run.run_log)
    if launch is not None or len(run.folder.files_of(run.id)) > 1:
        for event in _joined(run, segment):
            run.fit.visited, run.fit.joined = True, run.fit.joined or event.get("visit") is not True
    if not run.fit.join(visits=request.visits):
        return False
    if launch is not None:
        run.run_log.event({"type": "joined", "segment": segment, "visit": request.visits})
    return True


def _joined(run: Run, segment: str | None) -> list[Event]:
    """Return what processes that were started have told of trainings that joined a segment of a run."""
    events = [event for content in read_files(run.folder, run.id).contents for event in content.events]
    return [event for event in events if event["type"] == "joined" and event.get("segment") == segment]


def _is_below(run: Run, outer: Run | None) -> bool:
    """Return True for a child of the user's open run, or where none is open for a run without a parent."""
    return bool(run.run_log.opening.get("parent") == (None if outer is None else outer.id))


def _origin(store: Store, checkpoint: str | os.PathLike[str]) -> "Writing | None":
    """Return the run that wrote the checkpoint, and the step."""
    path = local_path(checkpoint)
    try:
        return writer_of(store, path) if path is not None and path.exists() else None
    except Exception as error:  # a store that can't be asked, a file that can't be read: the run is a new one then
        report(f"the run that wrote {os.fspath(checkpoint)!r} can't be looked up: {type(error).__name__}: {error}")
        return None


def _continue(store: Store, wanted: StartRequest, origin: "Writing") -> Run:
    """Resume the run that wrote a checkpoint; start a new one, linked to it, while another process writes it."""
    return start(store.folder, changed(wanted, resume=origin.run, at_step=origin.step, sha256=origin.sha256))


def _links(
    request: FitRequest, origin: "Writing | None", outer: Run | None, run: Run
) -> Iterator[tuple[str, str, int | None, str | None]]:
    if origin is not None and outer is not None:  # else the run itself is resumed, or linked already
        yield RESUMED_FROM, origin.run, origin.step, origin.sha256
    before = request.after
    if before is not None and before.id != run.id and (origin is None or before.id != origin.run):
        yield REFIT_OF, before.id, None, None
    made = request.copy_of
    if made is not None and before is None and origin is None and made.run.id != run.id:
        yield STARTED_FROM, made.run.id, made.step, None
