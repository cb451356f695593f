"""FitSession: the rules of being a guest in somebody's training, for every integration at once."""

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from runlore._process import process
from runlore._quiet import without_draws, without_warnings
from runlore._run import Run, context_run, status_of
from runlore._settings import disabled_names
from runlore._start import start
from runlore._writer import report
from runlore.hookspecs import CapturedFile, DataDescription
from runlore.store import Store, open_store

P = ParamSpec("P")
R = TypeVar("R")

_fit: ContextVar["FitSession | None"] = ContextVar("runlore_fit", default=None)
_open: "dict[int, FitSession]" = {}  # of this process: contexts don't reach the threads of a pool


def _guarded(
    method: Callable[Concatenate["FitSession", P], R],
) -> Callable[Concatenate["FitSession", P], R | None]:
    """Nothing that recording does may reach the training: the first failure is reported, the rest goes on."""

    @functools.wraps(method)
    def guarded(self: "FitSession", *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            self._report(error)
            return None

    return guarded  # type: ignore[return-value]  # mypy keeps the name of `self`


class FitSession:
    """What an integration holds while its framework trains. Made by `begin`, which says when there is nothing to do.

    No method raises. One fit is one run: a fit inside another in the same context is part of the outer one. Inside a
    run that the user opened, the first fit joins it and leaves it open; later ones become its children, so that the
    params and metrics of two models never mix. Worker processes record nothing.
    """

    def __init__(self, integration: str, run: Run, *, owned: bool) -> None:
        self.integration = integration
        self.run = run
        self.owned = owned
        self._reported = False
        self.resume()

    @classmethod
    def begin(
        cls,
        integration: str,
        *,
        name: str | None = None,
        params: Callable[[], Mapping[str, Any]] | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | None = None,
    ) -> Self | None:
        """Open or join the run of a training call; None where nothing is to be recorded.

        `params` is called once the run is open, so that what it raises is recorded instead of raised.
        """
        if _fit.get() is not None or _is_worker():
            return None
        try:
            disabled = disabled_names()
            if "all" in disabled or integration in disabled:
                return None
            outer = context_run()
            labels = {"integration": integration, **(tags or {})}
            owned = outer is None or outer.joined
            if outer is None:
                run = (store or open_store()).start_run(name, tags=labels)
            elif outer.joined:
                run = Store(outer._folder.root).start_run(name, tags=labels, parent=outer)
            else:
                run = outer
                run.joined = True
                run.set_tags(labels)
            session = cls(integration, run, owned=owned)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"{integration}: this training is not recorded: {type(error).__name__}: {error}")
            return None
        if params is not None:
            session.params(params)
        return session

    @staticmethod
    def current() -> "FitSession | None":
        """The recorded fit that is under way in this context."""
        session = _fit.get()
        return None if session is _UNRECORDED else session

    def resume(self) -> None:
        """What follows in this context is part of this fit; `begin` does it, too."""
        self._token = _fit.set(self)
        _open[id(self)] = self

    def pause(self) -> None:
        """What follows is not part of this fit, which may go on later: its run stays open."""
        _open.pop(id(self), None)
        try:
            _fit.reset(self._token)
        except ValueError:
            _fit.set(None)  # it ended in another context than it began in

    @staticmethod
    def in_fit() -> bool:
        """Whether a recorded fit is under way in this context."""
        return _fit.get() is not None

    @staticmethod
    def ticket() -> tuple[int, int] | None:
        """What work that is handed to another thread carries along, so that it counts as part of this fit."""
        session = _fit.get()
        return None if session is None else (os.getpid(), id(session))

    @staticmethod
    @contextmanager
    def within(ticket: tuple[int, int] | None) -> Iterator[None]:
        """The block belongs to the fit that gave out the ticket; without effect elsewhere, or after its end."""
        session = _open.get(ticket[1]) if ticket is not None and ticket[0] == os.getpid() else None
        if session is None or _fit.get() is not None:
            yield
            return
        token = _fit.set(session)
        try:
            yield
        finally:
            _fit.reset(token)

    @staticmethod
    @contextmanager
    def without_trace(*, draws: bool = False) -> Iterator[None]:
        """For work that only the record needs: no warning of this thread shows.

        With `draws`, random states are left as they were, too: Python's own and numpy's, if numpy is loaded and no
        other thread may be drawing from them; an integration takes care of its framework's.
        """
        with without_warnings(), without_draws() if draws else nullcontext():
            yield

    @staticmethod
    @contextmanager
    def unrecorded() -> Iterator[None]:
        """Fits in the block are part of something that makes no run: they make none either."""
        if _fit.get() is not None:
            yield
            return
        token = _fit.set(_UNRECORDED)
        try:
            yield
        finally:
            _fit.reset(token)

    @staticmethod
    def warn(message: str) -> None:
        """Warn that less is recorded than usual: for an untested version of a framework, say. Never raises."""
        report(message)

    @staticmethod
    def add_metrics(run: Run, metrics: Mapping[str, Any], *, step: int | None = None, split: str | None = None) -> None:
        """Record numbers on a run that may have ended: what was measured after the fit. Never raises."""
        if _is_worker():
            return
        try:
            run.addition().log_metrics(metrics, step, split=split)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"{', '.join(metrics)} can't be added to {run!r}: {type(error).__name__}: {error}")

    @staticmethod
    def describe(data: Any) -> DataDescription | None:
        """What a dataset looks like; None where no plugin knows it, and in workers. Never raises."""
        if _is_worker():
            return None
        try:
            return process.plugins().first("runlore_describe_data", data=data)
        except Exception:  # a plugin's own code, on foreign data: nothing is recorded of it here
            return None

    @staticmethod
    def add_data(run: Run, name: str, description: DataDescription) -> None:
        """Record a dataset that a run met after its fit. Never raises."""
        if _is_worker():
            return
        try:
            run.addition().log_data(name, description)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"data {name} can't be added to {run!r}: {type(error).__name__}: {error}")

    @staticmethod
    def add_file(run: Run, path: Path, *, kind: str, most: int) -> None:
        """Record a file that was written after the fit, up to `most` bytes of it kept. Never raises.

        One that is not kept is hashed by the next reader, so that whoever writes it need not wait.
        """
        if _is_worker():
            return
        try:
            _add_file(run.addition(), path, kind, most)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"{str(path)!r} can't be recorded with {run!r}: {type(error).__name__}: {error}")

    @_guarded
    def params(self, params: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Record parameters, or what a call returns; what it raises is told in the run."""
        if callable(params):
            try:
                params = params()
            except (Exception, SystemExit) as error:  # the user's own objects may raise anything when they are asked
                self.missing("params", f"{type(error).__name__}: {error}")
                return
        self.run.log_params(params)

    @_guarded
    def metrics(
        self,
        metrics: Mapping[str, Any],
        *,
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Record numbers under the framework's own names."""
        self.run.log_metrics(metrics, step, epoch, split)

    @_guarded
    def data(self, /, name: str, data: Any = None, **facts: Any) -> str | None:
        """Describe a dataset of the training call; see `Run.log_data`."""
        return self.run.log_data(name, data, **facts)

    @_guarded
    def record(self, action: Callable[["FitSession"], None]) -> None:
        """Do what may raise because of the user's own objects; what it raises is told in the run, without a warning."""
        try:
            action(self)
        except (Exception, SystemExit) as error:  # the user's own objects may raise anything when they are asked
            self.missing(f"part of the {self.integration} record", f"{type(error).__name__}: {error}")

    @_guarded
    def model(self, data: bytes, *, name: str = "model") -> None:
        """Keep a serialised model."""
        self.run.log_bytes(data, name=name, kind="model")

    @_guarded
    def link(self, kind: str, other: Run) -> None:
        """Say that this fit goes back to another run: "refit_of", "resumed_from", …"""
        self.run.link(kind, other.id)

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
        store = Store(self.run._folder.root)
        tags = {"integration": self.integration, **tags}
        run = start(store, name, params=params, tags=tags, parent=self.run, lasted=seconds, like=self.run)
        for step in range(max(map(len, points.values()), default=0)):
            run.log_metrics({key: values[step] for key, values in points.items() if step < len(values)}, step)
        if failed:
            run.log_missing("scores", failed)
        run.finish("failed" if failed else "finished")

    @_guarded
    def end(self, error: BaseException | None = None) -> None:
        """The training call returned, or raised `error`. A joined run stays open."""
        if _open.get(id(self)) is self:
            self.pause()
        if self.owned:
            self.run.finish(status_of(error), error)

    def _report(self, error: Exception) -> None:
        if not self._reported:
            self._reported = True
            report(f"{self.integration}: part of this training is not recorded: {type(error).__name__}: {error}")
            try:
                self.run.log_missing(f"part of the {self.integration} record", f"{type(error).__name__}: {error}")
            except Exception as second:  # the run itself is broken: the report above has to do
                report(f"{self.integration}: {type(second).__name__}: {second}")


_UNRECORDED: FitSession = object.__new__(FitSession)  # stands for what is under way and makes no run
_open[id(_UNRECORDED)] = _UNRECORDED


def _add_file(run: Run, path: Path, kind: str, most: int) -> None:
    if path.stat().st_size > most:
        run.log_artifact(path, kind=kind, keep=False)
        return
    file = process.plugins().rewrite_file(CapturedFile(path.name, path.read_bytes(), kind))
    if file.withheld is not None:
        run.log_missing(path.name, file.withheld)
    run.log_artifact(path, kind=kind, keep=file.withheld is None)


def _is_worker() -> bool:
    return multiprocessing.current_process().name != "MainProcess"
