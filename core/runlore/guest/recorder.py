"""Recorder: the verbs that an integration has on a run, during a fit (`FitSession`) and after it (`Additions`)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from runlore.guest import guards
from runlore.hookspecs import CapturedFile
from runlore.plugins.manager import plugins
from runlore.recording.run import Run

T = TypeVar("T")
WriteMetrics = Callable[[Mapping[str, Any], int | None, float | None, str | None], None]


class Recorder(ABC):
    """Writes into a run for an integration. No method raises: a failure is reported, and the rest goes on.

    `write_metrics` writes one call of `metrics`.
    """

    def __init__(self, run: Run, write_metrics: WriteMetrics) -> None:
        self.run = run
        self._write_metrics = write_metrics

    def params(self, params: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Record parameters, or those that a call returns.

        An exception of the call is noted in the run only, and its warnings don't show.
        """
        self._write("params", lambda run: run.log_params(self._called(params) if callable(params) else params))

    def metrics(
        self,
        metrics: Mapping[str, Any],
        *,
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Record numbers under the framework's own names; see `Run.log_metrics`."""
        try:  # not by `_write`, as training calls this at every step
            self._write_metrics(metrics, step, epoch, split)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            self._failed("metrics", error)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Record numbers of the training as a whole, without a step, such as its duration and its best score."""
        self._write("the summary", lambda run: run.log_summary(values))

    def data(self, /, name: str, data: Any = None, **facts: Any) -> str | None:
        """Describe a dataset that the model meets, and return its fingerprint; see `Run.log_data`."""
        return self._write(f"data {name}", lambda run: run.log_data(name, data, **facts))

    def file(self, path: Path, *, kind: str, most: int, step: int | None = None) -> None:
        """Record a file or folder that was written; `step` is the step of its weights.

        A file of up to `most` bytes is kept. A larger one, or a folder, is hashed by the next reader, so that the
        caller need not wait.
        """
        self._write(repr(str(path)), lambda run: _add_file(run, path, kind, most, step))

    def files(self, folder: Path, paths: Sequence[Path], *, kind: str, most: int, step: int | None = None) -> None:
        """Record files of one folder that were written together as one artifact; kept are up to `most` bytes."""
        self._write(
            repr(str(folder)),
            lambda run: run.run_log.keep_files(folder, paths, kind=kind, step=step, keep=_size(paths) <= most),
        )

    def keep_bytes(self, data: bytes, *, name: str, kind: str = "file") -> None:
        """Keep bytes as an artifact that has no file of its own."""
        self._write(f"artifact {name!r}", lambda run: run.run_log.keep_bytes(data, name=name, kind=kind))

    def link(self, kind: str, run_id: str, step: int | None = None, sha256: str | None = None) -> None:
        """Record that the run is based on another: "refit_of", "resumed_from", …; see `Run.link`."""
        self._write(f"the link to {run_id}", lambda run: run.link(kind, run_id, step=step, sha256=sha256))

    def missing(self, what: str, why: str) -> None:
        """Record that something could not be captured."""
        self._write(what, lambda run: run.log_missing(what, why))

    def _called(self, params: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            with guards.without_trace():
                return params()
        except (Exception, SystemExit) as error:  # the user's own objects may raise anything when they are asked
            self.missing("params", f"{type(error).__name__}: {error}")
            return {}

    def _write(self, what: str, write: Callable[[Run], T]) -> T | None:
        """Call `write` with the open run, unless nothing is to be recorded; `what` names the content in a report."""
        try:
            run = self._open_run()
            return None if run is None else write(run)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            self._failed(what, error)
            return None

    @abstractmethod
    def _open_run(self) -> Run | None:
        """Return the run, open for writing; None where nothing is to be recorded."""

    @abstractmethod
    def _failed(self, what: str, error: Exception) -> None:
        """Report that something could not be written. Never raises."""


def _size(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _add_file(run: Run, path: Path, kind: str, most: int, step: int | None) -> None:
    if path.is_dir() or path.stat().st_size > most:
        run.log_artifact(path, kind=kind, step=step, keep=False)
        return
    file = plugins().rewrite_file(CapturedFile(path.name, path.read_bytes(), kind))
    if file.withheld is not None:
        run.log_missing(path.name, file.withheld)
    run.log_artifact(path, kind=kind, step=step, keep=file.withheld is None)
