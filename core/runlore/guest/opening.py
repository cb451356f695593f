"""Find the run of a training call: the user's open run, a child of it, the one that wrote a checkpoint, a new one."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runlore._settings import disabled_names
from runlore._warnings import report
from runlore.artifacts.events import local_path
from runlore.guest.additions import writer_of
from runlore.guest.fits import in_fit
from runlore.guest.request import FitRequest
from runlore.log.record import REFIT_OF, RESUMED_FROM
from runlore.recording.current import context_run
from runlore.recording.ranks import is_worker
from runlore.recording.run import Run
from runlore.recording.starting import StartRequest, start
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.provenance.origins import Writing


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
        if disabled_names() & {"all", integration}:
            return None
        return _open(integration, request)
    except Exception as error:  # a framework calls us here, and must not meet our exceptions
        report(f"{integration}: this training is not recorded: {type(error).__name__}: {error}")
        return None


def _open(integration: str, request: FitRequest) -> Opened:
    launch = request.launch
    store = request.store or (Store(launch.store) if launch is not None and launch.store else open_store())
    origin = None if request.resume_from is None else _origin(store, request.resume_from)
    outer = context_run() or (launch.attached() if launch is not None else None)
    tags = {"integration": integration, **(request.tags or {})}
    if outer is not None and outer.fit.join(visits=request.visits):
        outer.set_tags(tags)
        return Opened(outer, owned=False, links=tuple(_links(request, origin, outer, outer)))
    wanted = StartRequest(
        name=request.name,
        experiment=request.experiment,
        tags=tags,
        leader=request.leader,
        launch=None if launch is None else launch.token,
    )
    if outer is not None:
        run = start(outer.folder, replace(wanted, parent=outer.id))
    elif origin is not None:
        run = _continue(store, wanted, origin)
    else:
        run = start(store.folder, wanted)
    return Opened(run, owned=True, links=tuple(_links(request, origin, outer, run)))


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
    return start(store.folder, replace(wanted, resume=origin.run, at_step=origin.step, sha256=origin.sha256))


def _links(
    request: FitRequest, origin: "Writing | None", outer: Run | None, run: Run
) -> Iterator[tuple[str, str, int | None, str | None]]:
    if origin is not None and outer is not None:  # else the run itself is resumed, or linked already
        yield RESUMED_FROM, *origin
    before = request.after
    if before is not None and before.id != run.id and (origin is None or before.id != origin.run):
        yield REFIT_OF, before.id, None, None
