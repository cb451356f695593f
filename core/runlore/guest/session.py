"""FitSession: the rules of being a guest in somebody's training, for every integration at once."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from runlore._process import process
from runlore._settings import disabled_names
from runlore._warnings import report, valid_or
from runlore.guest import guards
from runlore.guest.checkpoints import Checkpoints, Later
from runlore.guest.deferred import Deferred
from runlore.guest.files import watch
from runlore.guest.fits import Fits, Stay, searching, unrecorded
from runlore.guest.opening import open_for
from runlore.guest.recorder import Recorder
from runlore.guest.request import FitRequest
from runlore.guest.wrapping import token_of
from runlore.recording.ending import status_of
from runlore.recording.run import Run, silent_run
from runlore.recording.starting import StartRequest, start
from runlore.store.store import Store

MAX_LABELS = 20  # of models of one name that are told apart in a fit

Place = tuple[int | None, float | None]  # step and epoch

P = ParamSpec("P")
R = TypeVar("R")


def current() -> "FitSession | None":
    """Return the recorded fit that is under way in this context (thread or task)."""
    stay = process.part(Fits).under_way()
    return cast("FitSession | None", stay.fit) if stay is not None else None


def tell_part(integration: str) -> None:
    """Say once in the recorded fit of another integration that nothing is told of a training in it. Never raises."""
    session = current()
    if session and session.integration != integration and integration not in session.untold:
        session.untold.add(integration)
        session.missing(f"a training of {integration} in it", "a callback of its own makes it a run below this one")


def fit_of(model: Any, integration: str) -> "FitSession | None":
    """Return the recorded fit under way in this context, if another integration records it as one of this very model.

    What the model's own framework tells goes into that run, too, and its caller neither begins nor ends a fit. The
    session knows then by `told_by` who records the iterations, so that nobody does it twice.
    """
    session = current()
    if session is None or not session or session.trains is None or session.trains is not token_of(model):
        return None
    if valid_or(frozenset[str](), disabled_names) & {"all", integration}:
        return None
    session.told_by = integration
    return session


def _guarded(method: Callable[Concatenate["FitSession", P], R]) -> Callable[Concatenate["FitSession", P], R | None]:
    """Let a method do nothing where nothing is recorded, and report its exceptions."""

    @functools.wraps(method)
    def guarded(self: "FitSession", *args: P.args, **kwargs: P.kwargs) -> R | None:
        return self._write(method.__name__, lambda _: method(self, *args, **kwargs))

    return guarded  # type: ignore[return-value]  # mypy keeps the name of `self`


class FitSession(Recorder):
    """Held by an integration while its framework trains: made by `begin`, ended by `end` or as a `with` block.

    No method raises. One fit is one run: a fit inside another in the same context is part of the outer one. Inside a
    run that the user opened, the first fit joins it and leaves it open; later ones become its children, so that the
    params and metrics of two models never mix. Workers and followers record nothing. Where nothing is to be recorded
    the session is false, and its methods do nothing.

    Where a framework may leave a training call without calling any hook, an integration sets `look`: called before
    somebody asks for the fit under way, it ends the session if the call is over.

    An integration that sets `trains`, the `token_of` the model, and `place`, which returns step and epoch, lets others
    record what they evaluate within the fit: see `Beside`; and the integration of the model's own framework what that
    tells: see `fit_of`. What the script itself saves meanwhile has the step and epoch of `place`, too.

    The methods may be called from any thread; `begin`, `pause`, `resume` and `end` belong to the one that trains.
    """

    def __init__(self, integration: str, run: Run, *, owned: bool, recorded: bool = True) -> None:
        self._deferred = Deferred(run.log_metrics)
        super().__init__(run, self._deferred if recorded else _write_nothing)
        self.integration = integration
        self.owned = owned
        self.recorded = recorded
        self.look: Callable[[], None] | None = None
        self.trains: object | None = None
        self.told_by: str | None = None  # the integration that adds the iterations to a fit which another one records
        self.place: Callable[[], Place] | None = None
        self.others: list[_Other] = []  # models that were evaluated in it
        self.untold: set[str] = set()  # integrations of trainings in it of which nothing is recorded
        self._has_failed = False
        self._earlier_keys = set() if owned else run.run_log.keys()  # that the user had logged before
        self._saved: Checkpoints | None = None  # None until there is something to record of checkpoints
        self._stay: Stay | None = None  # the last one
        if recorded:
            watch.follow(self)
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
        opened = open_for(integration, request)
        if opened is None:
            return cls(integration, silent_run(), owned=False, recorded=False)
        session = cls(integration, opened.run, owned=opened.owned)
        try:
            for link in opened.links:
                session.link(*link)
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
        """The store of the run."""
        return Store(self.run.folder.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    def resume(self) -> None:
        """Make what follows in this context a part of this fit; `begin` does it, too."""
        self.pause()
        self._stay = process.part(Fits).enter(self)
        self.run.fit.under_way = True

    def pause(self, *, returned: bool = True) -> None:
        """Make what follows no part of this fit, which may go on later: its run stays open.

        Where the training call has not `returned`, a run that is still open when Python exits reads interrupted.
        """
        self.run.fit.under_way = not returned
        process.part(Fits).leave(self._stay)

    @contextmanager
    def children(self, *, search: bool = False) -> Iterator[None]:
        """Let fits in the block be runs of their own, below this one: the trials of a search, say.

        With `search` they are those of a `search` that uses another framework, which then makes no runs of trials.
        """
        if not self.recorded:
            with unrecorded():
                yield
            return
        self.pause()
        try:
            with self.run.as_parent(), searching(search):
                yield
        finally:
            self.resume()

    @_guarded
    def flush(self) -> None:
        """Read and write the metrics that wait on a device: where it is idle anyway, as before a checkpoint."""
        self._deferred.flush()

    @_guarded
    def rewind(self, step: int) -> None:
        """Drop the points of this fit after `step`, from where the framework trains again."""
        self._deferred.flush()
        self.run.run_log.rewind(step, self._earlier_keys)

    @_guarded
    def record(self, action: Callable[["FitSession"], None]) -> None:
        """Call what may raise or warn because of the user's own objects; an exception is noted in the run only."""
        try:
            with guards.without_trace():
                action(self)
        except (Exception, SystemExit) as error:  # the user's own objects may raise anything when they are asked
            _note_loss(self, error)

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
        later: Later | None = None,
    ) -> None:
        """Record that the framework has written a checkpoint: a file or a folder, which stays where it is.

        It is hashed on a thread of its own; written again later, it is a new version. `value` is the value of the
        metric `monitor`. A role belongs to the newest checkpoint that was saved with it; those with the role "best" or
        "last", or with one that begins with "best_", are kept at the end of the fit. Where another thread writes the
        file, `later` hands that thread a function to call when it is done, before it writes another:
        `executor.submit`, say.
        """
        self._deferred.flush()
        watch.claim(path)
        self._checkpoints().saved(path, step=step, epoch=epoch, monitor=monitor, value=value, roles=roles, later=later)

    def removing(self, path: str | os.PathLike[str]) -> AbstractContextManager[None]:
        """Return a block in which the framework removes a checkpoint; recorded if it is gone afterwards."""
        return self._checkpoints().removing(path) if self.recorded else nullcontext()

    @_guarded
    def check_removed(self) -> None:
        """Record the checkpoints that somebody has removed since; the end of the fit does it, too."""
        self._checkpoints().check_removed()

    @_guarded
    def child(
        self,
        name: str,
        *,
        params: Mapping[str, Any],
        points: Mapping[str, Sequence[float] | Mapping[int, float]],
        tags: Mapping[str, Any],
        failed: str | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Record a part of this fit that is over as a run of its own: `points` holds series by key, of steps from 0.

        A mapping tells the step of each number. `failed` is the reason why the part has no result, and makes the
        child's status failed. `seconds` is its duration.
        """
        tags = {"integration": self.integration, **tags}
        wanted = StartRequest(
            name=name,
            experiment=self.run.run_log.opening.get("experiment"),
            params=params,
            tags=tags,
            parent=self.run.id,
            lasted=seconds,
            like=self.run,
        )
        run = start(self.store.folder, wanted)
        for step, numbers in sorted(_by_step(points).items()):
            run.log_metrics(numbers, step)
        if failed:
            run.log_missing("scores", failed)
        run.finish("failed" if failed else "finished")

    @_guarded
    def end(self, error: BaseException | None = None, *, interrupted: bool = False) -> None:
        """End the fit: the training call returned, or raised `error`; `interrupted`: because of a signal.

        A search that ends a trial (`guest.why_pruned`) makes no failure of it: `stopped` is told, unless it was. A
        joined run stays open. A second call does nothing.
        """
        pruned = guards.why_pruned(error)
        if pruned is not None:
            self.record(lambda session: _tell_pruned(session, pruned))
            error = None
        self.pause()
        self.place = None  # it may hold the trainer
        saved, self._saved = self._saved, None
        if self.run.ended:  # by its user, during the fit
            if saved is not None:
                saved.abandon()
            return
        if interrupted:
            self.run.fit.interruption = error
        try:
            self._deferred.flush()
            if saved is not None:
                saved.settle()
        finally:  # also when Ctrl-C comes while it waits
            if self.owned:
                cut_off = interrupted or isinstance(error, GeneratorExit)  # a generator that trains was closed
                self.run.finish("interrupted" if cut_off else status_of(error), error)

    def _checkpoints(self) -> Checkpoints:
        if self._saved is None:
            self._saved = Checkpoints(self.run)
        return self._saved

    def _open_run(self) -> Run | None:
        return self.run if self.recorded else None

    def _failed(self, what: str, error: Exception) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        report(f"{self.integration}: part of this training is not recorded: {type(error).__name__}: {error}")
        try:
            _note_loss(self, error)
        except Exception as second:  # the run itself is broken: the report above has to do
            report(f"{self.integration}: {type(second).__name__}: {second}")


class Beside(Recorder):
    """Records within a fit what is evaluated there, and is no part of it: of another model, or by another trainer.

    The numbers are in the run of the fit, at its step. Their names end in that of the other model ("/teacher"), in its
    number where several have the same one; those of the fit's own model in "/again", unless they are of a test.
    """

    def __init__(self, session: FitSession, model: Any, label: str) -> None:
        super().__init__(session.run, self._take)
        self.session = session
        self._label = _label(session, model, label)

    @classmethod
    def fit_under_way(cls, model: Any, label: str, made_by: str | None = None) -> Self | None:
        """Return what records an evaluation within the fit of this context; None where none is, or is recorded.

        `label` names the other model, and `made_by` is the id of the run of its weights, as far as it is known.
        """
        session = current()
        if not session:
            return None
        count = len(session.others)
        found = cls(session, model, label)
        if made_by is not None and made_by != session.run.id and len(session.others) > count:
            session.link("uses", made_by)
        return found

    def _take(self, metrics: Mapping[str, Any], step: int | None, epoch: float | None, split: str | None) -> None:
        session = self.session
        label = self._label if self._label or split == "test" else "/again"
        at = session.place() if session.place is not None else (None, None)
        named = {f"{name}{label}": value for name, value in metrics.items()}
        session.metrics(named, step=at[0], epoch=at[1], split=split)

    def _open_run(self) -> Run | None:
        return self.run

    def _failed(self, what: str, error: Exception) -> None:
        self.session.missing(f"{what} of an evaluation in the fit", f"{type(error).__name__}: {error}")


@dataclass(slots=True)
class _Other:
    """A model that is evaluated within a fit and not trained by it, or several of one name, one after the other."""

    label: str
    token: object
    step: int | None  # of the last evaluation
    is_kept: bool = False  # it was evaluated at two steps


def _label(session: FitSession, model: Any, label: str) -> str:
    """Return what names end in that are of a model: nothing for the one that the fit trains.

    Copies that are made anew for each evaluation, such as those of averaged weights, are one model. Of others of one
    name all but the first have a number.
    """
    token, step = token_of(model), None if session.place is None else session.place()[0]
    if session.trains is token:
        return ""
    same = [item for item in session.others if item.label == label]
    found = next((item for item in same if item.token is token), None)
    if found is not None:
        found.is_kept = found.is_kept or found.step != step
    else:
        found = next((item for item in same if not item.is_kept and item.step != step), None)
    if found is None:
        found = _Other(label, token, step)
        session.others.append(found)
        same.append(found)
    found.token, found.step = token, step
    place = next(place for place, item in enumerate(same) if item is found)
    return f"/{label}" if place == 0 else f"/{label}_{place + 1}" if place < MAX_LABELS else f"/{label}_more"


def _by_step(points: Mapping[str, Sequence[float] | Mapping[int, float]]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for key, series in points.items():
        for step, value in series.items() if isinstance(series, Mapping) else enumerate(series):
            found.setdefault(step, {})[key] = value
    return found


def _tell_pruned(session: FitSession, why: str) -> None:
    if not session.was_stopped:
        step, epoch = (None, None) if session.place is None else session.place()
        session.stopped(why, step=step, epoch=epoch)


def _note_loss(session: FitSession, error: BaseException) -> None:
    session.run.log_missing(f"part of the {session.integration} record", f"{type(error).__name__}: {error}")


def _write_nothing(*metrics: object) -> None:
    """Take the metrics of a session that records nothing."""
