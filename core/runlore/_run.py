"""A run that is being written."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runlore import _liveness, _marks
from runlore._artifacts import UNPLACED, kept_content, kept_files, kept_path, losses_of, not_kept, pending
from runlore._blobs import Blobs
from runlore._companions import Companions
from runlore._ending import Status, end_event, status_of
from runlore._folder import Folder
from runlore._ids import new_suffix
from runlore._process import process
from runlore._values import describe, facts_of, flatten, is_number, text_of
from runlore._writer import LogWriter, as_number, as_step, report

if TYPE_CHECKING:
    from runlore.hookspecs import DataDescription
    from runlore.runs import RecordedRun

current: ContextVar[tuple["Run", ...]] = ContextVar("runlore_current", default=())
open_runs: dict[str, "Run"] = {}  # of this process, in the order they were opened: ended at exit
_told: set[Path] = set()  # stores that can't be written, and of which it was said


class Run:
    """A run that is open for writing. Threads may share it; a forked child that logs gets a file of its own.

    Made by `runlore.start_run` and `Store.start_run`. As a context manager it ends with the block: finished, failed
    (any exception), or interrupted (Ctrl-C). Otherwise it ends with `finish()`, at the latest when Python exits. No
    method raises because of the disk: what can't be recorded is reported once, and told in the run.
    """

    def __init__(self, folder: Folder, run_id: str, name: str, opening: dict[str, Any]) -> None:
        self.id = run_id
        self.name = name
        self._folder = folder
        self._opening = opening
        self.opened = opening  # as it was written
        self._ended = False
        self.joined = False  # whether a recorded fit has made this run its own
        self.visited = False  # whether something recorded is in it, which need not be a fit
        self.in_fit = False  # whether a training call has begun that has not returned
        self.interruption: BaseException | None = None  # what a framework made of a signal
        self._writer: LogWriter | None = self._open(opening)
        self._companions = Companions(self)

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
        writer = self._writer
        if writer is None or writer.closed:
            writer = self._reopened()
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
        self._event({"type": "params", "values": flatten(params)})

    def log_summary(self, values: Mapping[str, Any]) -> None:
        """Record numbers of the run as a whole, without a step; a later value replaces an earlier one.

        What is not a number is left out, and named in the run.
        """
        flat = flatten(values)
        numbers = {key: value for key, value in flat.items() if is_number(value)}
        for key in sorted(flat.keys() - numbers.keys()):
            self.log_missing(f"summary {key}", f"{text_of(flat[key])[:100]!r} is no number")
        if numbers:
            self._event({"type": "summary", "values": numbers})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, texts by name; None removes one."""
        values = {key: None if value is None else text_of(value) for key, value in flatten(tags).items()}
        self._event({"type": "tags", "values": values})

    def note(self, text: str) -> None:
        """Add a note for people to read."""
        self._event({"type": "note", "text": str(text)})

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
        """
        source = Path(path)
        if not source.exists():
            raise FileNotFoundError(f"no file or folder {str(source)!r} to keep as an artifact")
        if self._writer is None:
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
        if not keep:
            self._event(event | pending(source))
            return
        try:
            self._event(event | kept_path(source, Blobs(self._folder.blobs)))
        except OSError as error:
            report(f"artifact {str(source)!r} can't be kept: {error.strerror or error}")
            self._event(event | not_kept(error))

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
        if self._writer is None:
            return
        event: dict[str, Any] = {"type": "artifact", "name": folder.name, "kind": kind, "path": str(folder.absolute())}
        event |= {"step": as_step(step), "epoch": None, "roles": []}
        if keep:
            self._event(event | kept_files(folder, paths, Blobs(self._folder.blobs)))
        elif {path for path in folder.rglob("*") if path.is_file()} == set(paths):
            self._event(event | pending(folder))
        else:
            size = sum(path.stat().st_size for path in paths)
            why = "it is too large to be kept, and lies beside other files"
            self._event(event | {"size": size, "sha256": None, "stored": False, "why": why})

    def log_bytes(self, data: bytes, *, name: str, kind: str = "file") -> None:
        """Keep bytes as an artifact that has no file of its own; rewriters may mask or withhold them."""
        from runlore.hookspecs import CapturedFile

        if self._writer is None:
            return
        file = process.plugins().rewrite_file(CapturedFile(name, data, kind))
        for loss in losses_of(file):
            self._event(loss)
        if file.withheld is not None:
            return
        event = {"type": "artifact", "name": file.name, "kind": file.kind}
        try:
            self._event(kept_content(event, file.content, Blobs(self._folder.blobs)))
        except OSError as error:
            report(f"artifact {name!r} can't be kept: {error.strerror or error}")
            self._event({**UNPLACED, **event, **not_kept(error)})

    def log_data(self, name: str, data: Any = None, **facts: Any) -> str | None:
        """Describe a dataset under a name: shape, types, columns, missing values and a fingerprint of its content.

        Plugins know numpy, pandas, polars, scipy.sparse and lists. The values themselves are not kept; `data` is not
        changed and, if it can be read only once, not read; it may be a description already. `facts` are further things
        known of it; what is recorded later under the same name adds to what is there. Returns the fingerprint, None
        where there is none.
        """
        if self._writer is None:
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
            self._event({"type": "data", "name": str(name), "values": values})
        return fingerprint

    def log_missing(self, what: str, why: str) -> None:
        """Say in the record that something could not be captured."""
        self._event({"type": "missing", "what": what, "why": why})

    def link(self, kind: str, run_id: str, *, step: int | None = None, sha256: str | None = None) -> None:
        """Say that this run goes back to another, at a step of it: "resumed_from", "reproduces", …

        `sha256` is that of the content that it read of the other, a checkpoint's, say.
        """
        told = {"step": None if step is None else as_step(step), "sha256": sha256}
        known = {key: value for key, value in told.items() if value is not None}
        self._event({"type": "link", "kind": kind, "run": run_id, **known})

    def rewind(self, step: int, spared: Collection[str] = ()) -> None:
        """Begin again behind a step: what was recorded of later ones is superseded, as when a run is resumed.

        Keys that are `spared` keep what they have.
        """
        writer = self._writer
        if writer is None or writer.closed or self._ended:
            return
        opening = {**self._opening, "mode": "resume", "cut": as_step(step), "predecessor": writer.path.name}
        measured = {key for key in writer.last_steps() if key.startswith("system/")}  # which counts on by itself
        spared = measured.union(spared)
        opened = self._open({**opening, "spared": sorted(spared), **_liveness.process_identity()})
        if opened is None:
            return  # the disk is gone: points go on superseding each other
        last_steps = {key: last if key in spared else min(last, step) for key, last in writer.last_steps().items()}
        opened.continue_steps(last_steps)
        self._writer = opened  # before the other is closed, as another thread may be logging
        writer.finish(end_event("interrupted", None))  # this part of it; the run goes on

    def keys(self) -> set[str]:
        """The keys of the metrics so far."""
        return set() if self._writer is None else set(self._writer.last_steps())

    @contextmanager
    def as_parent(self) -> Iterator[None]:
        """Runs that fits in the block begin are children of this one."""
        self.joined = True
        token = current.set((*current.get(), self))
        try:
            yield
        finally:
            current.reset(token)

    # Its end

    def finish(self, status: Status = "finished", error: BaseException | None = None) -> None:
        """End the run. Once is enough; later calls do nothing. `error` is the exception that ended it."""
        if self._ended or self._opening["pid"] != os.getpid():
            if self._writer is not None:
                self._writer.finish(None)  # a forked child's own file
            return
        try:
            self._companions.settle()
        finally:  # also when Ctrl-C came while it waited
            self._ended = True
            open_runs.pop(self.id, None)
            current.set(tuple(run for run in current.get() if run is not self))
            self._write_end(status, error)
            self._companions.end()

    def __enter__(self) -> Self:
        if self not in current.get():
            current.set((*current.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(status_of(error), error)

    @property
    def ended(self) -> bool:
        """Whether `finish` was called."""
        return self._ended

    def addition(self) -> "Run":
        """The run itself as long as it is open; afterwards one that adds to it, open until others have been needed.

        Raises:
            RunNotFound: the run was removed.
        """
        if not self._ended:
            return self
        from runlore._present import addition_to

        return addition_to(self)

    def close_addition(self) -> None:
        """Nothing more is added for now, so nothing has to stay open."""
        from runlore._present import close_addition_to

        close_addition_to(self)

    # Looking back

    @property
    def recorded(self) -> "RecordedRun":
        """The run as readers see it, up to now."""
        from runlore.store import Store

        return Store(self._folder.root).run(self.id)

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self.id} {'ended' if self._ended else 'open'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from runlore._present import attached

        return attached, (str(self._folder.root), self.id)  # a process that gets it by pickle writes a file of its own

    # How it is written

    def _write_end(self, status: Status, error: BaseException | None) -> None:
        if self._writer is None:
            return
        told_to_end = isinstance(error, SystemExit) and _marks.was_told_to_end()
        if error is not None and (told_to_end or error is self.interruption):
            status = "interrupted"
        self.interruption = None  # it holds the frames that it went through
        end = end_event(status, error)
        self._writer.finish(None if self._opening["mode"] == "attach" else dict(process.plugins().rewrite_event(end)))

    def _open(self, opening: dict[str, Any]) -> LogWriter | None:
        if opening["mode"] == "off":
            return None
        day = self._folder.day(self.id)
        try:
            self._folder.create()
            day.mkdir(mode=0o700, parents=True, exist_ok=True)
            earlier = [] if opening["mode"] == "start" else self._folder.files_of(self.id)
            ordinal = max((item.ordinal + 1 for item in earlier), default=0)
            plugins = process.plugins()
            self.opened = dict(plugins.rewrite_event(opening))
            return LogWriter(day, f"{self.id}.{ordinal:04d}{new_suffix(4)}", self.opened, plugins.rewrite_event)
        except OSError as error:
            if self._folder.root in _told:
                return None
            _told.add(self._folder.root)
            report(
                f"nothing of run {self.name!r} can be recorded in {str(self._folder.root)!r}: "
                f"{error.strerror or error}. Training goes on; name another place with RUNLORE_STORE"
            )
            return None

    def _reopened(self) -> LogWriter | None:
        """The file of a forked child that logs to its parent's run; None where nothing can be written."""
        if self._writer is None or self._opening["pid"] == os.getpid() or not self._writer.closed:
            return self._writer
        last_steps = self._writer.last_steps()
        opening = {"type": "open", "mode": "attach", "run": self.id, **_liveness.process_identity()}
        self._writer = self._open(opening)
        if self._writer is not None:
            self._writer.continue_steps(last_steps)
        return self._writer

    def _event(self, event: dict[str, Any], *, masked: bool = False) -> None:
        """Write an event; `masked`: the rewriters have seen it already."""
        writer = self._writer
        if writer is None or writer.closed:
            writer = self._reopened()
        if writer is not None:
            writer.event(event if masked else dict(process.plugins().rewrite_event(event)))


def described(data: Any) -> "DataDescription | None":
    """What plugins say of a dataset; a description stands for itself.

    Raises:
        RuntimeError: the plugin that should have described it failed.
    """
    from runlore.hookspecs import DataDescription

    if isinstance(data, DataDescription):
        return data
    return process.plugins().first("runlore_describe_data", DataDescription, data=data)
