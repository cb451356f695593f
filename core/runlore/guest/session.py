"""FitSession: the rules of being a guest in somebody's training, for every integration at once."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast

from runlore._process import process
from runlore._settings import disabled_names
from runlore._warnings import report
from runlore.artifacts.events import local_path
from runlore.errors import RunNotFound
from runlore.guest import guards
from runlore.guest.checkpoints import Checkpoints
from runlore.guest.deferred import Deferred
from runlore.guest.fits import Fits, Stay, in_fit, unrecorded
from runlore.guest.request import FitRequest
from runlore.log.folder import Folder
from runlore.recording.current import context_run
from runlore.recording.ending import status_of
from runlore.recording.ranks import is_worker
from runlore.recording.run import Run, open_run
from runlore.recording.starting import start
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.provenance.origins import Writing


def current() -> "FitSession | None":
    """The recorded fit that is under way in this context."""
    stay = process.part(Fits).under_way()
    return cast("FitSession | None", stay.fit) if stay is not None else None


P = ParamSpec("P")
R = TypeVar("R")


def _guarded(
    method: Callable[Concatenate["FitSession", P], R],
) -> Callable[Concatenate["FitSession", P], R | None]:
    """Nothing that recording does may reach the training: the first failure is reported, the rest goes on."""

    @functools.wraps(method)
    def guarded(self: "FitSession", *args: P.args, **kwargs: P.kwargs) -> R | None:
        if not self.recorded:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            self._report(error)
            return None

    return guarded  # type: ignore[return-value]  # mypy keeps the name of `self`


class FitSession:
    """What an integration holds while its framework trains: made by `begin`, ended by `end` or as a `with` block.

    No method raises. One fit is one run: a fit inside another in the same context is part of the outer one. Inside a
    run that the user opened, the first fit joins it and leaves it open; later ones become its children, so that the
    params and metrics of two models never mix. Workers and followers record nothing. Where nothing is to be recorded
    the session is false, and its methods do nothing.

    Where a framework may leave a training call without telling, an integration sets `look`: called before somebody asks
    what is under way, it ends the session if that is so.

    The methods may be called from any thread; `begin`, `pause`, `resume` and `end` belong to the one that trains.
    """

    def __init__(self, integration: str, run: Run, *, owned: bool, recorded: bool = True) -> None:
        self.integration = integration
        self.run = run
        self.owned = owned
        self.recorded = recorded
        self._reported = False
        self._deferred = Deferred(run.log_metrics)
        self._earlier = set() if owned else run.keys()  # what the user had logged before
        self.look: Callable[[], None] | None = None  # whether the training call has returned without a word
        self._stay: Stay | None = None  # while it is under way
        if recorded:
            self.resume()

    @classmethod
    def begin(
        cls,
        integration: str,
        request: FitRequest = FitRequest(),  # noqa: B008  # frozen
        *,
        params: Callable[[], Mapping[str, Any]] | None = None,
    ) -> Self:
        """Open, join or continue the run of a training call.

        `params` is called once the run is open, so that what it raises is recorded instead of raised.
        """
        if in_fit() or (is_worker() if request.leader is None else not request.leader):
            return cls(integration, _no_run(), owned=False, recorded=False)
        launch = request.launch
        try:
            disabled = disabled_names()
            if "all" in disabled or integration in disabled:
                return cls(integration, _no_run(), owned=False, recorded=False)
            labels = {"integration": integration, **(request.tags or {})}
            place = request.store or (Store(launch.store) if launch is not None and launch.store else open_store())
            origin = None if request.resume_from is None else _origin(place, request.resume_from)
            outer = context_run() or (launch.attached() if launch is not None else None)
            if outer is not None and not outer.fit.joined and not (request.visits and outer.fit.visited):
                outer.fit.joined, outer.fit.visited = not request.visits, True
                outer.set_tags(labels)
                session = cls(integration, outer, owned=False)
            else:
                options = {
                    "experiment": request.experiment,
                    "tags": labels,
                    "leader": request.leader,
                    "launch": None if launch is None else launch.token,
                }
                session = cls(integration, _started(place, request.name, origin, outer, options), owned=True)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"{integration}: this training is not recorded: {type(error).__name__}: {error}")
            return cls(integration, _no_run(), owned=False, recorded=False)
        try:
            if origin is not None and outer is not None:
                session.link("resumed_from", *origin)
            if request.after is not None and request.after.id not in (session.run.id, origin and origin.run):
                session.link("refit_of", request.after.id)
            if params is not None:
                session.params(params)
        except BaseException as error:  # Ctrl-C meanwhile
            session.end(error)
            raise
        return session

    def __bool__(self) -> bool:
        return self.recorded

    @property
    def store(self) -> Store:
        """Where the run is."""
        return Store(self.run.folder.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    def resume(self) -> None:
        """What follows in this context is part of this fit; `begin` does it, too."""
        self._leave()
        self._stay = process.part(Fits).enter(self)
        self.run.fit.under_way = True

    def pause(self, *, returned: bool = True) -> None:
        """What follows is not part of this fit, which may go on later: its run stays open.

        Where the training call has not `returned`, a run that is still open when Python exits reads interrupted.
        """
        self.run.fit.under_way = not returned
        self._leave()

    def _leave(self) -> None:
        if self._stay is not None:
            process.part(Fits).leave(self._stay)
            self._stay = None

    @_guarded
    def params(self, params: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Record parameters, or what a call returns: what that raises is told in the run, its warnings don't show."""
        if callable(params):
            try:
                with guards.without_trace():
                    params = params()
            except (Exception, SystemExit) as error:  # the user's own objects may raise anything when they are asked
                self.missing("params", f"{type(error).__name__}: {error}")
                return
        self.run.log_params(params)

    def metrics(
        self,
        metrics: Mapping[str, Any],
        *,
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Record numbers under the framework's own names.

        Those that lie on a device are read later, together, so that no step waits for it; see `flush`.
        """
        if self.recorded:
            try:  # not by the decorator, as training calls this at every step
                self._deferred(metrics, step, epoch, split)
            except Exception as error:  # a framework calls us here, and must not meet our exceptions
                self._report(error)

    @_guarded
    def flush(self) -> None:
        """Read and write the metrics that wait on a device: where it is idle anyway, as before a checkpoint."""
        self._deferred.flush()

    @_guarded
    def summary(self, values: Mapping[str, Any]) -> None:
        """Record numbers of the training as a whole: how long it took, its best score. They have no step."""
        self.run.log_summary(values)

    @_guarded
    def rewind(self, step: int) -> None:
        """The framework begins again behind a step: the points that it has come to since don't count."""
        self._deferred.flush()
        self.run.rewind(step, self._earlier)

    @contextmanager
    def children(self) -> Iterator[None]:
        """Fits in the block are runs of their own, below this one: the trials of a search, say."""
        if not self.recorded:
            with unrecorded():
                yield
            return
        self.pause()
        try:
            with self.run.as_parent():
                yield
        finally:
            self.resume()

    @_guarded
    def data(self, /, name: str, data: Any = None, **facts: Any) -> str | None:
        """Describe a dataset of the training call; see `Run.log_data`."""
        return self.run.log_data(name, data, **facts)

    @_guarded
    def record(self, action: Callable[["FitSession"], None]) -> None:
        """Do what may raise or warn because of the user's own objects; what it raises is told in the run only."""
        try:
            with guards.without_trace():
                action(self)
        except (Exception, SystemExit) as error:  # the user's own objects may raise anything when they are asked
            self.missing(f"part of the {self.integration} record", f"{type(error).__name__}: {error}")

    @_guarded
    def checkpoint(
        self,
        path: str | os.PathLike[str],
        *,
        step: int | None = None,
        epoch: float | None = None,
        monitor: str | None = None,
        value: Any = None,
        roles: tuple[str, ...] = ("last",),
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """Record that the framework has written a checkpoint: a file or a folder, which stays where it is.

        It is hashed on a thread of its own; written again later it is a new version. `value` is what the metric
        `monitor` has come to. A role belongs to one checkpoint: it goes over to this one; those with the role "best" or
        "last" when the fit ends are kept. Where another thread writes the file, `later` hands that thread a function to
        call when it is done, before it writes another: `executor.submit`, say.
        """
        self._deferred.flush()
        self._checkpoints.saved(path, step=step, epoch=epoch, monitor=monitor, value=value, roles=roles, later=later)

    def removing(self, path: str | os.PathLike[str]) -> AbstractContextManager[None]:
        """The framework removes a checkpoint in the `with` block; recorded where it is gone afterwards."""
        return self._checkpoints.removing(path) if self.recorded else nullcontext()

    @_guarded
    def check_removed(self) -> None:
        """Record which checkpoints somebody has removed since; the end of the fit looks, too."""
        self._checkpoints.check_removed()

    @_guarded
    def link(self, kind: str, run_id: str, step: int | None = None, sha256: str | None = None) -> None:
        """Say that this fit goes back to another run: "refit_of", "resumed_from", …; see `Run.link`."""
        self.run.link(kind, run_id, step=step, sha256=sha256)

    @_guarded
    def missing(self, what: str, why: str) -> None:
        """Say in the record that something could not be captured."""
        self.run.log_missing(what, why)

    @_guarded
    def child(
        self,
        name: str,
        *,
        params: Mapping[str, Any],
        points: Mapping[str, list[float]],
        tags: Mapping[str, Any],
        failed: str | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Record a finished part of this fit as a run of its own: `points` holds series by key, steps from 0.

        `failed` says why the part has no result, and makes the child's status failed. `seconds` is what it took.
        """
        tags = {"integration": self.integration, **tags}
        run = start(
            self.store.folder, name, params=params, tags=tags, parent=self.run.id, lasted=seconds, like=self.run
        )
        for step in range(max(map(len, points.values()), default=0)):
            run.log_metrics({key: values[step] for key, values in points.items() if step < len(values)}, step)
        if failed:
            run.log_missing("scores", failed)
        run.finish("failed" if failed else "finished")

    @_guarded
    def end(self, error: BaseException | None = None, *, interrupted: bool = False) -> None:
        """The training call returned, or raised `error`; `interrupted`: because a signal told it to.

        A joined run stays open. A second call does nothing.
        """
        self.pause()
        if self.run.ended:  # by its user, in the midst of the fit
            if "_checkpoints" in vars(self):
                vars(self).pop("_checkpoints").abandon()
            return
        if interrupted:
            self.run.fit.interruption = error
        try:
            self._deferred.flush()
            if "_checkpoints" in vars(self):
                self._checkpoints.settle()
        finally:  # also when Ctrl-C comes while it waits
            vars(self).pop("_checkpoints", None)
            if self.owned:
                self.run.finish("interrupted" if interrupted else status_of(error), error)

    @cached_property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.run)

    def _report(self, error: Exception) -> None:
        if not self._reported:
            self._reported = True
            report(f"{self.integration}: part of this training is not recorded: {type(error).__name__}: {error}")
            try:
                self.run.log_missing(f"part of the {self.integration} record", f"{type(error).__name__}: {error}")
            except Exception as second:  # the run itself is broken: the report above has to do
                report(f"{self.integration}: {type(second).__name__}: {second}")


def _no_run() -> Run:
    """What a session writes to that records nothing."""
    return open_run(Folder(Path(os.devnull)), "", "", {"mode": "off"})


def _origin(store: Store, checkpoint: str | os.PathLike[str]) -> "Writing | None":
    """The run that wrote the checkpoint, and at which step."""
    from runlore.provenance.origins import writer_of

    path = local_path(checkpoint)
    try:
        return writer_of(store, path) if path is not None and path.exists() else None
    except Exception as error:  # a store that can't be asked, a file that can't be read: it is a run of its own then
        report(f"the run that wrote {os.fspath(checkpoint)!r} can't be looked up: {type(error).__name__}: {error}")
        return None


def _started(
    store: Store, name: str | None, origin: "Writing | None", outer: Run | None, options: dict[str, Any]
) -> Run:
    """A new run, a child of the user's open one; or the run that a checkpoint is of."""
    if outer is not None:
        return start(outer.folder, name, parent=outer.id, **options)
    if origin is None:
        return start(store.folder, name, **options)
    try:
        return start(store.folder, name, resume=origin.run, at_step=origin.step, **options)
    except RunNotFound:  # somebody else writes it: this is a branch of it
        run = start(store.folder, name, **options)
        run.link("resumed_from", origin.run, step=origin.step, sha256=origin.sha256)
        return run
