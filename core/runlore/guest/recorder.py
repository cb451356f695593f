"""Recorder: the verbs that an integration has on a run, during a fit (`FitSession`) and after it (`Additions`)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from runlore._warnings import without_reports
from runlore.guest import datasets, guards
from runlore.guest.captured import told_apart
from runlore.guest.files import watch
from runlore.guest.sets import Descriptions, EvaluatedSet, Prints, find_set, name_set
from runlore.hookspecs import CapturedFile
from runlore.plugins.manager import plugins
from runlore.provenance.call_site import Written
from runlore.recording.run import Run

T = TypeVar("T")
NO_PRINTS: Prints = MappingProxyType({})
WriteMetrics = Callable[[Mapping[str, Any], int | None, float | None, str | None], None]


class Recorder(ABC):
    """Writes into a run for an integration. No method raises: a failure is reported, and the rest goes on.

    `write_metrics` writes one call of `metrics`.
    """

    def __init__(self, run: Run, write_metrics: WriteMetrics) -> None:
        self.run = run
        self._write_metrics = write_metrics
        self.was_stopped = False  # True once `stopped` was told

    def params(self, params: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Record parameters, or those that a call returns; what nobody passed is marked by `guest.captured.Captured`.

        An exception of the call is noted in the run only, and its warnings don't show.
        """
        self._write("params", lambda run: _log_params(run, self._called(params) if callable(params) else params))

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

    def loader(self, name: str, loader: Any) -> None:
        """Describe a data loader, or a dataset itself: class, rows, batch size; tensors in memory as data of their own.

        Nothing of it is loaded.
        """

        def describe(run: Run) -> None:
            facts, tensors = datasets.facts_of(loader)
            run.log_data(name, **facts)
            for place, tensor in enumerate(tensors):
                self.data(f"{name}.{place}", tensor)

        self._write(f"data {name}", describe)

    def evaluated_on(
        self,
        stage: str,
        parts: Mapping[str, Any],
        *,
        found: Descriptions | None = None,
        prints: Prints = NO_PRINTS,
        fits: bool = False,
        written: Written | None = None,
        names_parts: bool = False,
    ) -> EvaluatedSet:
        """Return the name of a set of data that the model is evaluated on, by the rule of `guest.sets`.

        `parts` are its data by the names under which they are described, which begin with that of the stage. `found`
        are descriptions of them, asked for where there are none yet, and `prints` fingerprints that somebody else
        knows. `fits` marks the set of a fit's own validation. `written` is the argument of the user's call that the set
        comes from, as `guest.wrapping.as_written` returns it: with that a set may have a name, else only a number.
        `names_parts`: the framework's own names of metrics tell several parts, which need no further names then.
        """

        def name(run: Run) -> EvaluatedSet:
            seen = _described(parts) if found is None else found
            named = name_set(self.run, stage, parts, seen, prints, fits, written, names_parts=names_parts)
            facts = {"set": named.content, "called": named.called}
            if named.is_new and any(facts.values()):
                run.log_data(named.name_of(next(iter(parts))), **{key: text for key, text in facts.items() if text})
            return named

        return self._write(f"data {stage}", name) or EvaluatedSet(stage)

    def met_before(
        self, stage: str, parts: Mapping[str, Any], *, found: Descriptions | None = None
    ) -> EvaluatedSet | None:
        """Return the name of a set of data that the run has met in a stage; None where it has not.

        `parts` and `found` are those of `evaluated_on`: by the names that this stage has for them.
        """
        return self._write(
            f"data {stage}",
            lambda run: find_set(self.run, stage, parts, _described(parts) if found is None else found),
        )

    def file(self, path: Path, *, kind: str, most: int, step: int | None = None, epoch: float | None = None) -> None:
        """Record a file or folder that was written; `step` and `epoch` are those of its weights.

        A file of up to `most` bytes is kept. A larger one, or a folder, is hashed by the next reader, so that the
        caller need not wait.
        """
        watch.claim(path)
        self._write(repr(str(path)), lambda run: _add_file(run, path, kind, most, (step, epoch)))

    def files(
        self,
        folder: Path,
        paths: Sequence[Path],
        *,
        kind: str,
        most: int,
        step: int | None = None,
        epoch: float | None = None,
    ) -> None:
        """Record files of one folder that were written together as one artifact; kept are up to `most` bytes."""
        watch.claim(folder)
        facts = {"kind": kind, "step": step, "epoch": epoch}
        self._write(
            repr(str(folder)), lambda run: run.run_log.keep_files(folder, paths, facts, keep=_size(paths) <= most)
        )

    def keep_bytes(self, data: bytes, *, name: str, kind: str = "file") -> None:
        """Keep bytes as an artifact that has no file of its own."""
        self._write(f"artifact {name!r}", lambda run: run.run_log.keep_bytes(data, name=name, kind=kind))

    def table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keep columns of equal length as the artifact `<name>.csv`, with their names in its first line."""

        def keep(run: Run) -> None:
            run.run_log.keep_bytes(_csv(columns), name=f"{name}.csv", kind="table")

        self._write(f"table {name!r}", keep)

    def media(self, keep: Callable[[Run], None], *, asked: bool = True) -> None:
        """Keep media by the verbs that a run has for them: `media(lambda run: run.log_media("samples", image))`.

        What can't be kept is told in the run, and in a warning if the user has `asked` for it.
        """

        def kept(run: Run) -> None:
            with nullcontext() if asked else without_reports():
                keep(run)

        self._write("media", kept)

    def link(self, kind: str, run_id: str, step: int | None = None, sha256: str | None = None) -> None:
        """Record that the run is based on another: "refit_of", "resumed_from", …; see `Run.link`."""
        self._write(f"the link to {run_id}", lambda run: run.link(kind, run_id, step=step, sha256=sha256))

    def stopped(self, reason: str, *, step: int | None = None, epoch: float | None = None) -> None:
        """Record as the tag `stopped` why training ended before its planned end, and where."""

        def tag(run: Run) -> None:
            places = [] if step is None else [f"step {int(step)}"]
            places += [] if epoch is None else [f"epoch {float(epoch):g}"]
            run.set_tags({"stopped": ": ".join(filter(None, (", ".join(places), reason)))})

        self.was_stopped = True
        self._write("why it stopped", tag)

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


def _described(parts: Mapping[str, Any]) -> Descriptions:
    return {name: guards.describe(part) for name, part in parts.items() if part is not None}


def _log_params(run: Run, params: Mapping[str, Any]) -> None:
    if type(params) is not dict:  # another mapping is the user's own
        run.log_params(params)
        return
    passed, captured = told_apart(params)
    run.log_params(passed)
    run.log_params(captured, captured=True)


def _csv(columns: Mapping[str, Sequence[Any]]) -> bytes:
    import csv  # late: few fits keep a table
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([tuple(columns), *zip(*columns.values(), strict=True)])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _size(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _add_file(run: Run, path: Path, kind: str, most: int, place: tuple[int | None, float | None]) -> None:
    step, epoch = place
    if path.is_dir() or path.stat().st_size > most:
        run.log_artifact(path, kind=kind, step=step, epoch=epoch, keep=False)
        return
    file = plugins().rewrite_file(CapturedFile(path.name, path.read_bytes(), kind))
    if file.withheld is not None:
        run.log_missing(path.name, file.withheld)
    run.log_artifact(path, kind=kind, step=step, epoch=epoch, keep=file.withheld is None)
