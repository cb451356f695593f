"""A run that is being written: what users log, and how it is opened and ends."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runlore._process import process
from runlore._warnings import report
from runlore.artifacts.events import kept_files, kept_path, not_kept, pending
from runlore.errors import RunNotFound
from runlore.log import liveness, sigterm
from runlore.log.folder import Folder
from runlore.log.record import read_record
from runlore.log.values import as_number, as_step, describe, facts_of, flatten, is_number, text_of
from runlore.plugins.manager import described, plugins
from runlore.recording.companions import Companions
from runlore.recording.ending import Status, status_of
from runlore.recording.open_runs import OpenRuns, enter, entered, leave
from runlore.recording.run_log import RunLog


@dataclass(slots=True)
class FitState:
    """What integrations note on a run.

    `joined`: a recorded fit has made the run its own. `visited`: something recorded is in it, which need not be a fit.
    `under_way`: a training call has begun that has not returned. `interruption`: the exception that a framework made of
    a signal.
    """

    joined: bool = False
    visited: bool = False
    under_way: bool = False
    interruption: BaseException | None = None


class Run:
    """A run that is open for writing. Threads may share it; a forked child that logs gets a file of its own.

    Made by `runlore.start_run` and `Store.start_run`. As a context manager it ends with the block: finished, failed
    (any exception), or interrupted (Ctrl-C). Otherwise it ends with `finish()`, at the latest when Python exits. No
    method raises because of the disk: what can't be recorded is reported once, and told in the run. `run_log` and
    `fit` are for integrations and for runlore itself.
    """

    def __init__(self, folder: Folder, run_id: str, name: str, opening: dict[str, Any]) -> None:
        self.id = run_id
        self.name = name
        self.fit = FitState()
        self.run_log = RunLog(folder, run_id, name, opening)
        self._companions = Companions(self.run_log)

    @property
    def folder(self) -> Folder:
        """The store's folder."""
        return self.run_log.folder

    @property
    def ended(self) -> bool:
        """Whether `finish` was called."""
        return self.run_log.ended

    # What users log

    def log_metrics(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Record numbers that belong together; they are on disk when this returns.

        `step` is a whole number of 64 bits; without one, each key goes on behind its highest step. `epoch` may have a
        fraction. `split` names the part of the data: "val" and "test" stand before the key ("val/loss") unless it
        begins with them already; "train" leaves it as it is. A later value for the same key and step supersedes the
        earlier one. What is not a number is reported once and left out, the rest is kept. Any thread may call this.
        """
        writer = self.run_log.writer
        if writer is None or writer.closed:
            writer = self.run_log.usable()
            if writer is None:
                return
        if type(metrics) is not dict and not isinstance(metrics, Mapping):  # the first test takes a tenth of the time
            raise TypeError(f"metrics is {metrics!r}: write a mapping, such as {{'loss': 0.3}}")
        writer.row(metrics, step, epoch, split)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters; nested mappings get dotted keys, a later value replaces an earlier one.

        Any object will do: what JSON can't hold is described by type and text, a text of more than 65,536 characters
        is cut and its sha256 kept.
        """
        self.run_log.event({"type": "params", "values": flatten(params)})

    def log_summary(self, values: Mapping[str, Any]) -> None:
        """Record numbers of the run as a whole, without a step; a later value replaces an earlier one.

        What is not a number is left out, and named in the run.
        """
        flat = flatten(values)
        numbers = {key: value for key, value in flat.items() if is_number(value)}
        for key in sorted(flat.keys() - numbers.keys()):
            self.log_missing(f"summary {key}", f"{text_of(flat[key])[:100]!r} is no number")
        if numbers:
            self.run_log.event({"type": "summary", "values": numbers})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, texts by name; None removes one."""
        values = {key: None if value is None else text_of(value) for key, value in flatten(tags).items()}
        self.run_log.event({"type": "tags", "values": values})

    def note(self, text: str) -> None:
        """Add a note for people to read."""
        self.run_log.event({"type": "note", "text": str(text)})

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str = "file",
        name: str | None = None,
        step: int | None = None,
        epoch: float | None = None,
        roles: tuple[str, ...] = (),
        keep: bool = True,
    ) -> None:
        """Keep a copy of a file or a folder, by its content. The original is only read.

        `kind` says what it is ("model", "checkpoint", "plot", …); `name` defaults to the file's name. Without `keep`
        only its path and size are recorded now, and its hash by the next reader, if it has not changed by then.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is a pipe, a socket or a device.
        """
        source = Path(path)
        if not source.exists():
            raise FileNotFoundError(f"no file or folder {str(source)!r} to keep as an artifact")
        if not source.is_dir() and not source.is_file():
            raise ValueError(f"{str(source)!r} is no regular file: only files and folders can be kept as an artifact")
        if self.run_log.writer is None:
            return
        event: dict[str, Any] = {
            "type": "artifact",
            "name": str(name or source.name),
            "kind": str(kind),
            "path": str(source.absolute()),
            "step": as_step(step),
            "epoch": as_number(epoch),
            "roles": [str(role) for role in roles],
        }
        try:
            self.run_log.event(event | (kept_path(source, self.run_log.blobs) if keep else pending(source)))
        except OSError as error:
            report(f"artifact {str(source)!r} can't be kept: {error.strerror or error}")
            self.run_log.event(event | not_kept(error))

    def log_files(
        self,
        folder: Path,
        paths: Sequence[Path],
        *,
        kind: str = "file",
        step: int | None = None,
        keep: bool = True,
    ) -> None:
        """Record some files of a folder as one artifact, named like the folder; others in it are not looked at.

        Raises:
            OSError: one of them is gone.
        """
        if self.run_log.writer is None:
            return
        event: dict[str, Any] = {"type": "artifact", "name": folder.name, "kind": kind, "path": str(folder.absolute())}
        event |= {"step": as_step(step), "epoch": None, "roles": []}
        if keep:
            self.run_log.event(event | kept_files(folder, paths, self.run_log.blobs, plugins().rewrite_file))
        elif {path for path in folder.rglob("*") if path.is_file()} == set(paths):
            self.run_log.event(event | pending(folder))
        else:
            size = sum(path.stat().st_size for path in paths)
            why = "it is too large to be kept, and lies beside other files"
            self.run_log.event(event | {"size": size, "sha256": None, "stored": False, "why": why})

    def log_data(self, name: str, data: Any = None, **facts: Any) -> str | None:
        """Describe a dataset under a name: shape, types, columns, missing values and a fingerprint of its content.

        Plugins know numpy, pandas, polars, scipy.sparse and lists. The values themselves are not kept; `data` is not
        changed and, if it can be read only once, not read; it may be a description already. `facts` are further things
        known of it; what is recorded later under the same name adds to what is there. Returns the fingerprint, None
        where there is none.
        """
        if self.run_log.writer is None:
            return None
        values = {key: describe(value) for key, value in facts.items()}
        fingerprint = None
        if data is not None:
            try:
                found = described(data)
                values |= facts_of(found) if found is not None else {}
                why = f"no plugin describes a {type(data).__qualname__}" if found is None else ""
                fingerprint = None if found is None else found.fingerprint
            except Exception as error:  # a plugin's own code, on foreign data
                why = f"it can't be described: {error}"
            if why:
                self.log_missing(f"data {name}", why)
        if values:
            self.run_log.event({"type": "data", "name": str(name), "values": values})
        return fingerprint

    def log_missing(self, what: str, why: str) -> None:
        """Say in the record that something could not be captured."""
        self.run_log.event({"type": "missing", "what": what, "why": why})

    def link(self, kind: str, run_id: str, *, step: int | None = None, sha256: str | None = None) -> None:
        """Say that this run goes back to another, at a step of it: "resumed_from", "reproduces", …

        `sha256` is that of the content that it read of the other, a checkpoint's, say.
        """
        told = {"step": None if step is None else as_step(step), "sha256": sha256}
        known = {key: value for key, value in told.items() if value is not None}
        self.run_log.event({"type": "link", "kind": kind, "run": run_id, **known})

    def rewind(self, step: int, spared: Collection[str] = ()) -> None:
        """Go on behind a step: points of later steps are superseded, as when a run is resumed.

        Keys that are `spared` keep all their points.
        """
        self.run_log.rewind(step, spared)

    def keys(self) -> set[str]:
        """The keys of the metrics so far."""
        return set() if self.run_log.writer is None else set(self.run_log.writer.last_steps())

    @contextmanager
    def as_parent(self) -> Iterator[None]:
        """Runs that fits in the block begin are children of this one."""
        self.fit.joined = True
        token = enter(self)
        try:
            yield
        finally:
            leave(token)

    # Its end

    def finish(self, status: Status = "finished", error: BaseException | None = None) -> None:
        """End the run. Once is enough; later calls do nothing. `error` is the exception that ended it."""
        log = self.run_log
        if log.ended or not log.is_of_this_process:
            log.close()
            return
        try:
            self._companions.settle()
        finally:  # also when Ctrl-C came while it waited
            log.ended = True
            process.part(OpenRuns).remove(self)
            told_to_end = isinstance(error, SystemExit) and sigterm.was_told_to_end()
            if error is not None and (told_to_end or error is self.fit.interruption):
                status = "interrupted"
            self.fit.interruption = None  # it holds the frames that it went through
            log.end(status, error)
            self._companions.end()

    def end_with_process(self, error: BaseException | None) -> None:
        """Finish the run because the process ends, by `error` or normally; a fit still under way was interrupted."""
        if self.run_log.is_of_this_process:
            unfinished = error is None and self.fit.under_way
            self.finish("interrupted" if unfinished else status_of(error), error)

    def begin(self, like: "Run | None" = None) -> None:
        """Start capturing and observing; with `like`, take over what was captured for another run."""
        self._companions.begin(None if like is None else like._companions)

    def __enter__(self) -> Self:
        if self not in entered():
            enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(status_of(error), error)

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self.id} {'ended' if self.ended else 'open'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return attached, (str(self.folder.root), self.id)  # a process that gets it by pickle writes a file of its own


def open_run(
    folder: Folder,
    run_id: str,
    name: str,
    opening: dict[str, Any],
    *,
    last_steps: Mapping[str, int] | None = None,
    like: Run | None = None,
) -> Run:
    """Open a run with a file of its own, known to this process; `opening` lacks only what identifies the process."""
    identity = liveness.process_identity()
    run = Run(folder, run_id, name, {"type": "open", "run": run_id, "name": name, **opening, **identity})
    if opening["mode"] == "off":
        return run
    if last_steps and run.run_log.writer is not None:
        run.run_log.writer.continue_steps(last_steps)
    if opening["mode"] != "attach":
        process.part(OpenRuns).add(run)
        sigterm.leave_mark_on_sigterm(folder.marks, identity)
    run.begin(like)
    return run


def attach(root: str, run_id: str) -> Run:
    """Open a run for additions from this process; its owner goes on writing it.

    Raises:
        RunNotFound: the run was removed.
    """
    folder = Folder(Path(root))
    record, writers = read_record(folder, run_id)
    if not writers.contents:
        raise RunNotFound(f"run {run_id} is not in {root!r} any more")
    steps = {key: tally.last_step for key, tally in record.tallies.items()}
    return open_run(folder, run_id, record.name, {"mode": "attach"}, last_steps=steps)


def attached(root: str, run_id: str) -> Run:
    """Attach to a run that came by pickle; return one that records nothing where there is none to add to."""
    try:
        return attach(root, run_id)
    except RunNotFound:
        return open_run(Folder(Path(root)), run_id, "", {"mode": "off"})


def end_from_outside(root: str, run_id: str, error: BaseException) -> None:
    """Write the end of a run whose own process could not; where it could, its own end counts."""
    attach(root, run_id).run_log.end_for_owner(status_of(error), error)
