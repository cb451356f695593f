"""A run that is being written: the verbs of users, its opening and its end."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runlore._process import Part, process
from runlore._startup import user_name
from runlore._text import as_text, with_article
from runlore._warnings import report
from runlore.artifacts.events import not_kept, recorded
from runlore.errors import FormatError, RunNotFound, RunNotReadable
from runlore.log import liveness, marks
from runlore.log.folder import Folder
from runlore.log.values import as_number, as_step, describe, facts_of, is_number, text_of, unreadable
from runlore.media.verbs import MediaVerbs
from runlore.plugins.manager import plugins
from runlore.recording.captures import Capture
from runlore.recording.companions import Companions
from runlore.recording.ending import Status, status_of
from runlore.recording.open_runs import OpenRuns, enter, entered, leave
from runlore.recording.run_log import RunLog

NOWHERE = Folder(Path(os.devnull))  # no file can be made there
MAX_RECEIVED = 16  # runs that came by pickle and stay open while nobody holds them


class FitState:
    """Noted on a run by integrations.

    `joined`: a recorded fit has made the run its own. `visited`: the run holds something recorded, such as an
    evaluation, which need not be a fit. `is_group`: it holds no fit itself, only runs below it. `under_way`: a training
    call has not returned yet. `interruption`: the exception that a framework raised because of a signal. `leads`: what
    is trained below it in this process is recorded, although the process works for another one.
    """

    joined: bool = False
    visited: bool = False
    is_group: bool = False
    under_way: bool = False
    interruption: BaseException | None = None
    leads: bool = False

    def join(self, *, visits: bool) -> bool:
        """Note a fit, or a mere visit, that joins the run; return False if it must be a run of its own."""
        if self.is_group or self.joined or (visits and self.visited):
            return False
        self.joined, self.visited = not visits, True
        return True


class Run(MediaVerbs):
    """A run that is open for writing. Threads may share it; a forked child that logs gets a file of its own.

    Made by `runlore.start_run` and `Store.start_run`. As a context manager it ends with the block: finished, failed
    (any exception), or interrupted (Ctrl-C). Otherwise it ends with `finish()`, at the latest when Python exits. No
    method raises because of the disk: what can't be recorded is reported once, and noted in the run. `run_log`,
    `companions` and `fit` are for runlore itself and for integrations.
    """

    run_log: RunLog

    def __init__(self, log: RunLog) -> None:
        self.id = log.id
        self.name = log.name
        self.run_log = log
        self.companions = Companions(log)
        self.fit = FitState()
        self._entered_by: int | None = None  # the thread that has entered its block

    @property
    def folder(self) -> Folder:
        """The store's folder."""
        return self.run_log.folder

    @property
    def ended(self) -> bool:
        """True once `finish` was called."""
        return self.run_log.ended

    def log_metrics(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Record numbers that belong together; they are on disk when this returns.

        `step` is a whole number of 64 bits; without one, each key continues after its highest step. `epoch` may have a
        fraction. `split` names the part of the data: "val" and "test" are put before the key ("val/loss") unless it
        begins with them already; "train" leaves it as it is. A later value for the same key and step supersedes the
        earlier one. Values that are no numbers are reported once and left out, the rest is kept. Any thread may call
        this.
        """
        writer = self.run_log.writer
        if writer is None or writer.closed:
            writer = self.run_log.own_writer()
            if writer is None:
                return
        if type(metrics) is not dict:  # which takes a tenth of the time of any other test
            metrics = self.run_log.readable(metrics)
        if split is not None and type(split) is not str:
            split = as_text(split)
        writer.row(metrics, step, epoch, split)

    def log_params(self, params: object, *, captured: bool = False) -> None:
        """Record parameters; nested mappings get dotted keys, a later value replaces an earlier one.

        Values may be any objects: those that JSON can't hold are described by type and text, a text of more than 65,536
        characters is cut and its sha256 kept. A Namespace, a dataclass, a pydantic model or an attrs class is a
        mapping, too. A value that can't be read is named in the run, and costs no other. `captured` ones are those that
        nobody passed, such as the defaults of a framework: they are shown after the others.

        Raises:
            TypeError: params are no mapping.
        """
        values = self.run_log.flat("param", params)
        if values:
            self.run_log.event({"type": "params", "values": values, **({"captured": True} if captured else {})})

    def log_summary(self, values: Mapping[str, Any]) -> None:
        """Record numbers of the run as a whole, without a step; a later value replaces an earlier one.

        Values that are no numbers are left out, and named in the run.
        """
        flat = self.run_log.flat("summary", values)
        numbers = {key: value for key, value in flat.items() if is_number(value)}
        for key in sorted(flat.keys() - numbers.keys() - unreadable(flat).keys()):
            self.log_missing(f"summary {key}", f"{text_of(flat[key])[:100]!r} is no number")
        if numbers:
            self.run_log.event({"type": "summary", "values": numbers})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, texts by name; None removes one."""
        values = {
            key: None if value is None else text_of(value) for key, value in self.run_log.flat("tag", tags).items()
        }
        if values:
            self.run_log.event({"type": "tags", "values": values})

    def note(self, text: str) -> None:
        """Add a note for people to read, in Markdown if you like; it bears the time, and the name of this user."""
        self.run_log.event({"type": "note", "text": as_text(text), "user": user_name()})

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
        model: str | None = None,
    ) -> None:
        """Keep a copy of a file or a folder, by its content. The original is only read.

        `kind` is "model", "checkpoint", "plot" or any other word; `name` defaults to the file's name. Without `keep`
        only its path and size are recorded now, and its hash by the next reader, if it has not changed by then. Of a
        folder, links to files are followed; links to other folders, links that lead nowhere, pipes, sockets and devices
        are left out, and named in the run, as are files that can't be read. It becomes a version of the `model` with
        that name; "digits@candidate" gives it that alias, too.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is a pipe, a socket or a device.
        """
        source = Path(path)
        if not os.path.exists(source):  # noqa: PTH110  # unlike that of Path it raises for no path
            raise FileNotFoundError(f"no file or folder {str(source)!r} to keep as an artifact")
        if not source.is_dir() and not source.is_file():
            raise ValueError(f"{str(source)!r} is no regular file: only files and folders can be kept as an artifact")
        if self.run_log.writer is None:
            return
        event: dict[str, Any] = {
            "type": "artifact",
            "name": source.name if name is None else as_text(name) or source.name,
            "kind": as_text(kind),
            "path": str(source.absolute()),
            "step": as_step(step),
            "epoch": as_number(epoch),
            "roles": [as_text(role) for role in roles],
        }
        try:
            told = recorded(source, event, self.run_log.blobs, keep=keep)
        except OSError as error:
            report(f"artifact {str(source)!r} can't be kept: {error.strerror or error}")
            told = [event | not_kept(error)]
        for item in told:
            self.run_log.event(item)
        if model is not None:
            from runlore.models.changes import add_recorded  # which few runs need

            add_recorded(self.run_log, model, told[0])

    def log_data(self, name: str, data: Any = None, **facts: Any) -> str | None:
        """Describe a dataset under a name: shape, types, columns, missing values and a fingerprint of its content.

        Plugins know numpy, pandas, polars, scipy.sparse and lists; `data` may be a description already. The values
        themselves are not kept. `data` is not changed and, if it can be read only once, not read. `facts` are further
        properties of it; a later call with the same name adds to the description. Returns the fingerprint, None where
        there is none.
        """
        if self.run_log.writer is None:
            return None
        values = {key: describe(value) for key, value in facts.items()}
        fingerprint = None
        if data is not None:
            try:
                found = plugins().describe_data(data)
                values |= facts_of(found) if found is not None else {}
                why = f"no plugin describes {with_article(type(data).__qualname__)}" if found is None else ""
                fingerprint = None if found is None else found.fingerprint
            except Exception as error:  # a plugin's own code, on foreign data
                why = f"it can't be described: {as_text(error)}"
            if why:
                self.log_missing(f"data {as_text(name)}", why)
        if values:
            self.run_log.event({"type": "data", "name": as_text(name), "values": values})
        return fingerprint

    def log_missing(self, what: str, why: str) -> None:
        """Record that something could not be captured."""
        self.run_log.missing(as_text(what), as_text(why))

    def link(self, kind: str, run_id: str, *, step: int | None = None, sha256: str | None = None) -> None:
        """Record that this run is based on another, at a step of it: "resumed_from", "reproduces", …

        `sha256` is the hash of the file that was read from that run, such as a checkpoint.
        """
        facts = {"step": None if step is None else as_step(step), "sha256": None if sha256 is None else as_text(sha256)}
        known = {key: value for key, value in facts.items() if value is not None}
        self.run_log.event({"type": "link", "kind": as_text(kind), "run": as_text(run_id), **known})

    @contextmanager
    def as_parent(self) -> Iterator[None]:
        """Let the runs of fits in the block be children of this one."""
        self.fit.joined = True
        token = enter(self)
        try:
            yield
        finally:
            leave(token)

    def finish(self, status: Status = "finished", error: BaseException | None = None) -> None:
        """End the run. Once is enough; later calls do nothing. `error` is the exception that ended it."""
        log = self.run_log
        if log.ended or not log.is_of_this_process:
            log.close()
            return
        try:
            self.settle_media()
            self.companions.settle()
        finally:  # also when Ctrl-C came while it waited
            process.part(OpenRuns).remove(self)
            log.end("interrupted" if self._was_interrupted(error) else status, error)
            self.fit.interruption = None  # it holds the frames that it went through
            self.companions.end()

    def end_with_process(self, error: BaseException | None) -> None:
        """Finish the run because the process ends, by `error` or normally.

        A fit that is still under way was interrupted, and so was the block of a thread that ends with the process.
        """
        if self.run_log.is_of_this_process:
            daemons = [thread.ident for thread in threading.enumerate() if thread.daemon]
            cut_off = self._entered_by is not None and self._entered_by in daemons
            unfinished = error is None and (self.fit.under_way or cut_off)
            self.run_log.ends_with_process = error is None
            self.finish("interrupted" if unfinished else status_of(error), error)

    def _was_interrupted(self, error: BaseException | None) -> bool:
        """Return True if `error` stands for a signal."""
        if isinstance(error, SystemExit) and marks.was_told_to_end():
            return True
        return error is not None and error is self.fit.interruption

    def __enter__(self) -> Self:
        self._entered_by = threading.get_ident()
        if self not in entered():
            enter(self)
            process.part(OpenRuns).enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(status_of(error), error)

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self.id} {'ended' if self.ended else 'open'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return unpickled, (str(self.folder.root), self.id)  # the other process writes a file of its own


def open_run(
    folder: Folder,
    run_id: str,
    name: str,
    opening: dict[str, Any],
    *,
    last_steps: Mapping[str, int] | None = None,
    captures: Sequence[Capture] | None = None,
) -> Run:
    """Open a run with a log file of its own, and let its companions begin.

    `opening` is the opening event, but for the identity of the process. Automatic steps go on behind `last_steps`.
    Where `captures` are given, they are recorded, and nothing is captured.
    """
    identity = liveness.process_identity()
    log = RunLog(folder, run_id, name, {"type": "open", "run": run_id, "name": name, **opening, **identity})
    run = Run(log)
    if log.mode == "off":
        return run
    log.continue_steps(last_steps or {})
    if log.mode != "attach":
        process.part(OpenRuns).add(run)
        marks.leave_mark_on_signals(folder.marks, identity)
    run.companions.begin(captures)
    return run


def silent_run(folder: Folder = NOWHERE, run_id: str = "", name: str = "") -> Run:
    """Return a run that records nothing."""
    return open_run(folder, run_id, name, {"mode": "off"})


def unrecorded(name: object, error: Exception) -> Run:
    """Report that a run can't be recorded, and return one that records nothing."""
    text = "" if name is None else as_text(name)
    report(f"nothing of run {text!r} can be recorded: {error}")
    return silent_run(name=text)


def attach(folder: Folder, run_id: str) -> Run:
    """Open a run for additions from this process; its status and end stay as they are. `finish()` closes it.

    Raises:
        RunNotFound: the run was removed.
        RunNotReadable: its files can't be read here.
    """
    from runlore.log.record import read_record  # which a run of its own needs not

    record, writers = read_record(folder, run_id)
    if writers.closed and not writers.contents:
        raise RunNotReadable(f"run {run_id} can't be read by this user: {writers.unreadable[0]}")
    if not writers.contents:
        raise RunNotFound(f"run {run_id} is not in {str(folder.root)!r} any more")
    return open_run(folder, run_id, record.name, {"mode": "attach"}, last_steps=writers.last_steps())


class ReceivedRuns(Part):
    """The runs that came by pickle, each attached once: the tasks of a pool bring the same one again and again.

    The newest stay open for the next task, older ones until nobody holds them any more. Threads may share it.
    """

    rank = 3

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: weakref.WeakValueDictionary[tuple[str, str], Run] = weakref.WeakValueDictionary()
        self._newest: deque[Run] = deque(maxlen=MAX_RECEIVED)

    def take(self, root: str, run_id: str) -> Run:
        """Return the run of a store's folder, attached now if there is none open; see `unpickled`."""
        with self._lock:
            found = self._runs.get((root, run_id))
            if found is None or found.ended or found.run_log.writer is None:
                found = self._runs[root, run_id] = _received(root, run_id)
                weakref.finalize(found, _let_go, found.run_log, found.companions).atexit = False
                self._newest.append(found)
            return found

    def end(self) -> None:
        """Finish them all."""
        for run in list(self._runs.values()):
            run.finish()


def unpickled(root: str, run_id: str) -> Run:
    """Return the run that came by pickle, or a copy of one: itself in its own process while it is open there.

    Elsewhere an attached run; one that records nothing where it was removed, or can't be written.
    """
    own = process.part(OpenRuns).get(run_id)
    return own if isinstance(own, Run) else process.part(ReceivedRuns).take(root, run_id)


def _received(root: str, run_id: str) -> Run:
    folder = Folder(Path(root))
    try:
        return attach(folder, run_id)
    except RunNotFound:
        return silent_run(folder, run_id)
    except (OSError, FormatError) as error:
        report(f"what this process logs of run {run_id} can't be recorded: {error}")
        return silent_run(folder, run_id)


def _let_go(log: RunLog, companions: Companions) -> None:
    log.close()
    companions.end(wait=False)


def end_from_outside(folder: Folder, run_id: str, error: BaseException) -> None:
    """Write the end of a run whose own process could not; an end that it wrote itself counts more."""
    attach(folder, run_id).run_log.end_for_owner(status_of(error), error)
