"""Find the run of a training call: the user's open run, a child of it, the one that wrote a checkpoint, a new one."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runlore._frozen import changed
from runlore._settings import disabled_names
from runlore._warnings import report, valid_or
from runlore.artifacts.events import local_path
from runlore.guest.additions import writer_of
from runlore.guest.fits import in_fit
from runlore.guest.request import FitRequest
from runlore.log.events import Event
from runlore.log.record import REFIT_OF, RESUMED_FROM, read_files
from runlore.recording.current import context_run, users_run
from runlore.recording.ranks import is_worker, was_launched
from runlore.recording.run import Run
from runlore.recording.run_log import segment_of
from runlore.recording.starting import StartRequest, start
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.guest.launch import Launch
    from runlore.provenance.origins import Writing

PURPOSE = "purpose"  # the tag of a run that only evaluates


@dataclass(frozen=True, slots=True)
class Opened:
    """The run of a training call, `owned` unless it is the user's; `links` are still to be recorded."""

    run: Run
    owned: bool
    links: tuple[tuple[str, str, int | None, str | None], ...]  # arguments of `link`


def open_for(integration: str, request: FitRequest) -> Opened | None:
    """Open, join or continue the run of a training call; None where nothing is to be recorded. Never raises."""
    if in_fit() or (is_worker() if request.leader is None else not request.leader):
        return None
    try:
        if valid_or(frozenset[str](), disabled_names) & {"all", integration}:
            return None
        return _open(integration, request)
    except Exception as error:  # a framework calls us here, and must not meet our exceptions
        report(f"{integration}: this training is not recorded: {type(error).__name__}: {error}")
        return None


def _open(integration: str, request: FitRequest) -> Opened:
    launch = request.launch
    store = request.store or (Store(launch.store) if launch is not None and launch.store else open_store())
    origin = None if request.resume_from is None else _origin(store, request.resume_from)
    outer, may_join = _outer(launch)
    tags = {"integration": integration, **(request.tags or {})}
    if outer is not None and may_join and _joins(outer, request):
        outer.set_tags(tags)
        return Opened(outer, owned=False, links=tuple(_links(request, origin, outer, outer)))
    wanted = StartRequest(
        name=request.name,
        experiment=request.experiment or (None if outer is None else outer.run_log.opening.get("experiment")),
        tags={**tags, PURPOSE: "evaluation"} if request.visits else tags,
        leader=request.leader,
        launch=None if launch is None else launch.token,
    )
    if request.continues is not None and origin is None and _is_below(request.continues, outer):
        run = start(request.continues.folder, changed(wanted, resume=request.continues.id, goes_on=True))
        run.set_tags({PURPOSE: None})
    elif outer is not None:
        run = start(outer.folder, changed(wanted, parent=outer.id))
    elif origin is not None:
        run = _continue(store, wanted, origin)
    else:
        run = start(store.folder, wanted)
    return Opened(run, owned=True, links=tuple(_links(request, origin, outer, run)))


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
