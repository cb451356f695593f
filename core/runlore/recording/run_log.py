"""The log of one run as this process writes it: opened, reopened in a forked child, rewound, ended."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore._ids import new_suffix
from runlore._process import Part, process
from runlore._sharing import make_folder
from runlore._text import as_text, short_repr
from runlore._warnings import report
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import UNPLACED, kept_content, kept_files, losses_of, not_kept, pending
from runlore.hookspecs import SYSTEM_PREFIX, CapturedFile
from runlore.log import liveness
from runlore.log.events import Event
from runlore.log.folder import Folder, root_of
from runlore.log.values import Flat, as_number, as_step, flatten, unreadable
from runlore.log.writer import AddingWriter, LogWriter
from runlore.plugins.manager import plugins
from runlore.recording.ending import Status, end_event

MAX_NAMES = 3  # of runs of which nothing could be recorded that are told


class _Unwritable(Part):
    """The folders of stores that can't be written: users are told of the first run, and later of those behind it."""

    inherited = True
    rank = 3

    def __init__(self) -> None:
        self._lost: dict[Path, list[str]] = {}  # names of the runs behind the first one

    def note(self, root: Path, name: str, error: OSError) -> None:
        """Note that nothing of a run can be recorded."""
        if root in self._lost:
            self._lost[root].append(name)
            return
        self._lost[root] = []
        report(
            f"nothing of run {name!r} can be recorded in {str(root)!r}: {error.strerror or error}. Training goes on; "
            "name another place with RUNLORE_STORE"
        )

    def tell(self, root: Path) -> None:
        """Tell which runs were lost since the first one: the folder can be written again, or the process ends."""
        names = self._lost.pop(root, None)
        if names:
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            told = ", ".join(map(repr, names[:MAX_NAMES]))
            plural = "s" if len(names) > 1 else ""
            report(f"nothing of {len(names)} more run{plural} could be recorded in {str(root)!r}: {told}{more}")

    def end(self) -> None:
        """Tell of all that were lost."""
        for root in list(self._lost):
            self.tell(root)

    def forget(self) -> None:
        """Leave those of the parent to it."""
        for names in self._lost.values():
            names.clear()


class RunLog:
    """Writes one run's log; never raises because of the disk. Threads may share it.

    `opening` is the run's opening event, `opened` the same as rewriters made it. `writer` is None where nothing is
    recorded. A forked child that writes gets a file, and so a writer, of its own.
    """

    def __init__(self, folder: Folder, run_id: str, name: str, opening: Event) -> None:
        self.id = run_id
        self.name = name
        self._folder = folder
        self._known_path: Path | None = None  # of the file that is written, which lies in that folder
        self._blobs: tuple[Folder, Blobs] | None = None  # those of a folder
        self._told: set[str] = set()  # what was reported once
        self.opening = opening
        self.opened = opening
        self.ended = False
        self.ends_with_process = False  # True where nobody had ended the run when the process ended
        self.seals = True  # False where its sealing is left to a reader
        self.writer: LogWriter | None = None
        self.writer = self._open(opening)

    @property
    def folder(self) -> Folder:
        """The store's folder, where it is now: it may be renamed while the run is written."""
        if self.writer is not None:
            self.writer.look()
            if self.writer.path is not self._known_path:
                self._known_path = self.writer.path
                root = root_of(self._known_path)
                if root is not None and root != self._folder.root:
                    self._folder = Folder(root)
        return self._folder

    @property
    def mode(self) -> str:
        """The way the run was opened: "start", "resume", "attach" or "off"."""
        return str(self.opening["mode"])

    @property
    def is_of_this_process(self) -> bool:
        """True where this process opened the run, False in a forked child of the one that did."""
        return bool(self.opening["pid"] == os.getpid())

    @property
    def blobs(self) -> Blobs:
        """The contents that the run's store keeps."""
        folder = self.folder
        if self._blobs is None or self._blobs[0] is not folder:
            self._blobs = folder, Blobs(folder.blobs)
        return self._blobs[1]

    def own_writer(self) -> LogWriter | None:
        """Return the writer of this process, made now in a forked child; None where nothing can be written."""
        writer = self.writer
        if writer is None or not writer.closed or self.is_of_this_process:
            return writer
        opening = {"type": "open", "mode": "attach", "run": self.id, **liveness.process_identity()}
        self.writer = self._open(opening)
        self.continue_steps(writer.last_steps())
        return self.writer

    def continue_steps(self, last_steps: Mapping[str, int]) -> None:
        """Let automatic steps go on behind those of earlier segments."""
        if self.writer is not None and last_steps:
            self.writer.continue_steps(last_steps)

    def keys(self) -> set[str]:
        """Return the keys of the metrics so far."""
        return set() if self.writer is None else set(self.writer.last_steps())

    def event(self, event: Event, *, masked: bool = False) -> None:
        """Write an event; a `masked` one has passed the rewriters already."""
        writer = self.own_writer()
        if writer is not None:
            writer.event(event if masked else dict(plugins().rewrite_event(event)))

    def readable(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Return what can be read of a foreign mapping; the rest is told of once.

        Raises:
            TypeError: it is no mapping.
        """
        if not isinstance(metrics, Mapping):
            raise TypeError(f"metrics is {short_repr(metrics)}: write a mapping, such as {{'loss': 0.3}}")
        found, lost = _readable_items(metrics)
        for what in lost:
            text = f"metric {what}"
            if self.writer is not None and self.writer.warn_once(text, f"{text}: left out, the others are kept"):
                self.missing("metric", what)
        return found

    def flat(self, kind: str, values: object) -> Flat:
        """Return values by dotted keys; those that can't be read, or lost their key to another, are named as missing.

        Raises:
            TypeError: they are no mapping.
        """
        found = flatten(values)
        for key, why in unreadable(found).items():
            self.missing(f"{kind} {key}", why)
        return found

    def missing(self, what: str, why: str) -> None:
        """Write that something could not be captured."""
        from runlore._spoken import without_addresses  # which whole runs need not

        self.event({"type": "missing", "what": what, "why": without_addresses(why)})

    def keep_bytes(
        self,
        data: bytes | Mapping[str, bytes],
        *,
        name: str,
        kind: str = "file",
        masked: bool = False,
        step: int | None = None,
        epoch: float | None = None,
        facts: Mapping[str, Any] | None = None,
        whole: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Keep bytes, or a folder of them by path, as an artifact that has no file of its own.

        Rewriters may mask or withhold them; `masked` ones have passed the rewriters already, or hold no words. `facts`
        are further fields of the event. `whole` puts what holds no words, and was left out, into the bytes behind that.
        """
        if self.writer is None:
            return
        given = {name: data} if isinstance(data, bytes) else data
        files = [CapturedFile(path, content, kind) for path, content in given.items()]
        files = files if masked else [plugins().rewrite_file(file) for file in files]
        for loss in [loss for file in files for loss in losses_of(file)]:
            self.event(loss)
        if any(file.withheld is not None for file in files):
            return
        is_file = isinstance(data, bytes)
        event: Event = {"type": "artifact", "name": files[0].name if is_file else name, "kind": files[0].kind}
        event |= {**(facts or {}), "step": as_step(step), "epoch": as_number(epoch)}
        contents = {file.name: file.content if whole is None else whole(file.content) for file in files}
        content = contents[files[0].name] if is_file else contents
        try:
            self.event(kept_content(event, content, self.blobs))
        except OSError as error:
            report(f"artifact {name!r} can't be kept: {error.strerror or error}")
            self.event({**UNPLACED, **event, **not_kept(error)})

    def keep_files(
        self, folder: Path, paths: Sequence[Path], facts: Mapping[str, Any] | None = None, *, keep: bool = True
    ) -> None:
        """Record some files of a folder as one artifact, named like the folder; others in it are not looked at.

        `facts` are kind, step and epoch.

        Raises:
            OSError: one of them is gone.
        """
        if self.writer is None:
            return
        told = {"kind": "file", "step": None, "epoch": None, **(facts or {})}
        event: Event = {"type": "artifact", "name": folder.name, "path": str(folder.absolute()), **told, "roles": []}
        event |= {"step": None if told["step"] is None else as_step(told["step"]), "epoch": as_number(told["epoch"])}
        if keep:
            self.event(event | kept_files(folder, paths, self.blobs, plugins().rewrite_file))
        elif {path for path in folder.rglob("*") if path.is_file()} == set(paths):
            self.event(event | pending(folder))
        else:
            size = sum(path.stat().st_size for path in paths)
            why = "it is too large to be kept, and lies beside other files"
            self.event(event | {"size": size, "sha256": None, "stored": False, "why": why})

    def rewind(self, step: int, spared: Collection[str] = ()) -> None:
        """Supersede the points behind a step, as a resumed run does, by a new file that cuts off this one.

        The keys that are `spared` keep all their points, and so do measurements of the machine.
        """
        writer = self.writer
        if writer is None or writer.closed or self.ended:
            return
        spared = {key for key in writer.last_steps() if key.startswith(SYSTEM_PREFIX)}.union(spared)
        opening = {**self.opening, "mode": "resume", "cut": as_step(step), "predecessor": writer.path.name}
        opened = self._open(opening | {"spared": sorted(spared), **liveness.process_identity()})
        if opened is None:
            return  # the disk is gone: points go on superseding each other
        with writer.lock:  # no other thread may count a step that the new file counts, too
            known = writer.last_steps()
            opened.continue_steps({key: last if key in spared else min(last, step) for key, last in known.items()})
            self.writer = opened
            writer.finish(end_event("interrupted", None), opened)  # ends this segment; the run goes on

    def end(self, status: Status, error: BaseException | None) -> None:
        """Write the run's end and close the file; a file that only adds to a run has no end of its own."""
        self.ended = True
        if self.writer is not None:
            own = {"with_process": True} if self.ends_with_process else {}
            self.writer.finish(
                None if self.mode == "attach" else {**_rewritten_end(status, error), **own}, seals=self.seals
            )

    def end_for_owner(self, status: Status, error: BaseException) -> None:
        """Write the end of a run whose own process could not, and close the file; an end by its owner supersedes it."""
        self.ended = True
        if self.writer is not None:
            self.writer.finish(_rewritten_end(status, error))

    def close(self) -> None:
        """Close the file of a forked child, without an end: the run is its parent's."""
        if self.writer is not None:
            self.writer.finish(None)

    def reopened(self) -> "RunLog":
        """Return a log of this process that adds to the run, which has ended."""
        opening = {"type": "open", "mode": "attach", "run": self.id, **liveness.process_identity()}
        return RunLog(self.folder, self.id, self.name, opening)

    def _open(self, opening: Event) -> LogWriter | None:
        if opening["mode"] == "off":
            return None
        day = self.folder.day(self.id)
        try:
            self.folder.create()
            make_folder(day, self.folder.root)
            earlier = [] if opening["mode"] == "start" else self.folder.files_of(self.id)
            first = int(opening["mode"] != "start")  # 0 is the place of the run's own file, should that be gone for now
            ordinal = max((item.ordinal + 1 for item in earlier), default=first)
            rewrite = plugins().rewrite_event
            self.opened = dict(rewrite(opening))
            kind = AddingWriter if opening["mode"] == "attach" else LogWriter
            writer = kind(day, f"{self.id}.{ordinal:04d}{new_suffix(4)}", self.opened, rewrite, self._told)
        except OSError as error:
            process.part(_Unwritable).note(self.folder.root, self.name, error)
            return None
        process.part(_Unwritable).tell(self.folder.root)
        self._known_path = writer.path
        return writer


def _rewritten_end(status: Status, error: BaseException | None) -> Event:
    return dict(plugins().rewrite_event(end_event(status, error)))


def _readable_items(values: Mapping[Any, Any]) -> tuple[dict[Any, Any], list[str]]:
    """Return what can be read of a foreign mapping, and what can't, each with the reason."""
    found: dict[Any, Any] = {}
    lost = []
    try:
        names = list(values)
    except Exception as error:  # a foreign mapping
        return {}, [f"its keys can't be read: {type(error).__name__}"]
    for name in names:
        try:
            found[name] = values[name]
        except Exception as error:  # likewise
            lost.append(f"{as_text(name)!r} can't be read: {type(error).__name__}")
    return found, lost


def segment_of(log: RunLog) -> str | None:
    """Return the name of the file that is written, without its ending; None where nothing is recorded."""
    return None if log.writer is None else log.writer.path.stem
