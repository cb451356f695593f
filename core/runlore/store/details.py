"""The parts of a run that its row in the index lacks, read from its files."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from runlore._inside import is_regular
from runlore._text import as_time, closest
from runlore.artifacts.artifact import Artifact
from runlore.artifacts.blobs import Blobs
from runlore.errors import ArtifactNotFound
from runlore.index.rows import Sections
from runlore.log.events import Event
from runlore.log.folder import Folder
from runlore.log.record import Record, Segment, Writers, build_record, read_files
from runlore.log.replay import Replay
from runlore.log.values import listed_value
from runlore.store.segments import with_params


class Note(NamedTuple):
    """A note on a run, whose text may be Markdown; `user` is who the writer said it was, None if unknown.

    `edited` and `editor` tell when and by whom it got its text, None where that is the first one.
    """

    text: str
    time: datetime
    user: str | None
    edited: datetime | None = None
    editor: str | None = None

    @classmethod
    def of(cls, item: Event) -> "Note":
        """Return a note as a record has it."""
        by = item.get("edited")
        edited = () if by is None else (as_time(by["time"]), by.get("user"))
        return cls(item["text"], as_time(item["time"]), item.get("user"), *edited)


class Details:
    """The properties of a run that stand in its files only; these are read once, when first needed.

    `known_logs` returns what is known, by file name, of logs that need not be read.
    """

    def __init__(self, folder: Folder, run_id: str, name: str, known_logs: Callable[[], dict[str, Replay]]) -> None:
        self.id = run_id
        self.name = name
        self._folder = folder
        self._known_logs = known_logs

    @cached_property
    def writers(self) -> Writers:
        """The files of the run as they are when first needed, one for each process that wrote."""
        return read_files(self._folder, self.id, self._known_logs())

    @cached_property
    def _record(self) -> Record:
        return build_record(self._folder, self.id, self.writers)

    @cached_property
    def environment(self) -> dict[str, dict[str, Any]]:
        """The captured sections by name: python, os, hardware, packages, git, …"""
        sections = Sections(self._folder)
        return {section: sections.read(item) for section, item in self._record.environment.items()}

    @cached_property
    def data(self) -> dict[str, dict[str, Any]]:
        """The datasets by name: kind, rows, shape, dtypes, columns, missing, fingerprint, sampled, …"""
        data = self._record.data
        return {name: {key: listed_value(value) for key, value in facts.items()} for name, facts in data.items()}

    @property
    def artifacts(self) -> list[Artifact]:
        """Files and folders in the order they were recorded; a name may stand several times, for its versions.

        The output of a run that still prints, or was killed, is there as a file that is not kept.
        """
        names = {content.path.with_suffix(".out") for content in self.writers.contents}
        growing = [path for path in sorted(names) if is_regular(path)]
        loose = {"name": "output.log", "kind": "log", "present": True}
        return self._recorded + [
            Artifact.of({**loose, "path": str(path), "size": path.stat().st_size}, self._blobs) for path in growing
        ]

    @cached_property
    def _recorded(self) -> list[Artifact]:
        blobs = self._blobs
        return [Artifact.of(item, blobs) for item in self._record.artifacts]

    @cached_property
    def _blobs(self) -> Blobs:
        return Blobs(self._folder.blobs)

    def artifact(self, name: str) -> Artifact:
        """Return the newest artifact with this name or role; "best_" and a metric is the best one by that metric.

        Raises:
            ArtifactNotFound: there is none; the message names those that exist.
        """
        artifacts = self.artifacts
        named = [item for item in artifacts if item.name == name]
        found = named or [item for item in artifacts if name in item.roles]
        found = found or [item for item in artifacts if "best" in item.roles and name == f"best_{item.monitor}"]
        if found:
            return found[-1]
        roles = [role for item in artifacts for role in item.roles]
        known = list(dict.fromkeys([*roles, *(item.name for item in artifacts)]))
        close = closest(name, known)
        hint = f"did you mean {close!r}?" if close is not None else f"it has: {', '.join(known[:10]) or 'none'}"
        raise ArtifactNotFound(f"run {self.name!r} has no artifact {name!r}; {hint}")

    @property
    def notes(self) -> list[Note]:
        """The notes that people added, as they are now."""
        return [Note.of(item) for item in self._record.notes]

    @property
    def links(self) -> list[dict[str, Any]]:
        """The links to runs that this one goes back to: `{"kind": "resumed_from", "run": id}`."""
        return list(self._record.links)

    @property
    def error(self) -> dict[str, Any] | None:
        """Type, message and traceback of the exception that ended the run; None without one."""
        return self._record.error

    @property
    def command(self) -> dict[str, Any]:
        """argv, working directory, host and pid of the process that started the run.

        `program` is how Python was started, up to the script's arguments; `script` is the script's file, and `began_in`
        the working directory before the script chose another.
        """
        return dict(self._record.command)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of the run, each with its params: more than one if it was resumed. Times are µs since 1970."""
        return with_params(self._record.segments, self.writers.contents)

    @property
    def missing(self) -> list[dict[str, Any]]:
        """The gaps of the record, each with its reason: `{"what": …, "why": …}`."""
        return self._record.missing(self.writers)
