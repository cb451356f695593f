"""Runs as readers see them: one, a list of them, and their artifacts."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from runlore._text import ago_text, as_time, duration_text, number_text
from runlore.artifacts.artifact import Artifact
from runlore.artifacts.blobs import Blobs, Member
from runlore.errors import ArtifactNotFound, RunloreWarning, RunNotFound, StoreRefused
from runlore.index import rows
from runlore.index.fields import AGGREGATES
from runlore.index.rows import Summary
from runlore.log.folder import Folder
from runlore.log.record import Record, Segment, Writers, read_record
from runlore.log.series import Metrics
from runlore.log.values import listed_value, plain_value
from runlore.recording.run import Run, attach
from runlore.store import html
from runlore.store.frames import _even_columns

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


MAX_ROWS = 50  # of a table in a notebook


class Runs(Protocol):
    """The store of a run, as far as runs ask it; `Store` is one."""

    folder: Folder

    @property
    def root(self) -> Path:
        """The store's folder."""

    def run(self, part: str) -> "RecordedRun":
        """Return the run with this id, name, or unique part of an id."""

    def runs(self, where: str = "", *, sort: str = "", limit: int | None = None) -> "RunList":
        """Return the runs that fulfil a query."""


class RecordedRun:
    """What a run recorded, up to the moment it was asked for; ask the store again to see what came since.

    The methods that add something (`set_tags`, `note`) work on finished runs too, from any process.
    """

    def __init__(self, store: "Runs", summary: Summary) -> None:
        self.store = store
        self._summary = summary
        self.id = summary.id
        self.name = summary.name
        self.experiment = summary.experiment
        self.status = summary.status
        self.started = as_time(summary.started)
        self.ended = None if summary.ended is None else as_time(summary.ended)
        self.params: dict[str, Any] = {key: plain_value(value) for key, value in summary.params.items()}
        self.summary: dict[str, Any] = {key: plain_value(value) for key, value in summary.summary.items()}
        self.tags = dict(summary.tags)
        self.damaged_bytes = summary.damaged_bytes
        self.metrics = Metrics(summary.metrics, lambda: self._writers.contents)

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it runs."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()

    @property
    def parent(self) -> "RecordedRun | None":
        """The run that this is a child of; None also where the store lacks it."""
        if self._summary.parent is None:
            return None
        try:
            return self.store.run(self._summary.parent)
        except RunNotFound:
            return None

    @property
    def parent_id(self) -> str | None:
        """The id of the run that this is a child of."""
        return self._summary.parent

    @property
    def children(self) -> "RunList":
        """The runs that name this as their parent, oldest first."""
        return self.store.runs(f"parent == {self.id!r}", sort="id")

    @property
    def environment(self) -> dict[str, dict[str, Any]]:
        """What was captured, by section: python, os, hardware, packages, git, …"""
        return {
            section: rows.read_section(self.store.folder, item) for section, item in self._record.environment.items()
        }

    @property
    def data(self) -> dict[str, dict[str, Any]]:
        """What it was trained on, by name: kind, rows, shape, dtypes, columns, missing, fingerprint, sampled, …"""
        return {
            name: {key: listed_value(value) for key, value in facts.items()}
            for name, facts in self._record.data.items()
        }

    @property
    def artifacts(self) -> "list[Artifact]":
        """Files and folders in the order they were recorded; a name may stand several times, its versions.

        Of a run that still prints, or was killed, what it printed so far is there as a file that is not kept.
        """
        recorded = [self._artifact(item) for item in self._record.artifacts]
        names = {content.path.with_suffix(".out") for content in self._writers.contents}
        growing = [path for path in sorted(names) if path.is_file()]
        loose = {"name": "output.log", "kind": "log", "present": True}
        return recorded + [
            self._artifact({**loose, "path": str(path), "size": path.stat().st_size}) for path in growing
        ]

    @property
    def notes(self) -> list[str]:
        """What people wrote about it."""
        return list(self._record.notes)

    @property
    def links(self) -> list[dict[str, Any]]:
        """Other runs that it goes back to: `{"kind": "resumed_from", "run": id}`."""
        return list(self._record.links)

    @property
    def error(self) -> dict[str, Any] | None:
        """Type, message and traceback of the exception that ended it."""
        return self._record.error

    @property
    def command(self) -> dict[str, Any]:
        """argv, working directory, host, pid; `program`: how Python was started, up to the script's arguments.

        `script` is the file of it, and `began_in` the working directory before the script chose another.
        """
        return dict(self._record.command)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Each time that it was begun: more than one if it was resumed. Times are µs since 1970."""
        return tuple(self._record.segments)

    @property
    def missing(self) -> list[dict[str, Any]]:
        """What could not be captured, and why: `{"what", "why"}`."""
        found = list(self._record.missing)
        unknown = set(self._record.environment) <= {"seeds"} and self.parent_id is None
        if unknown and not self._record.live and self._record.segments:
            found.append({"what": "environment", "why": "the process ended before it was known"})
        if self._record.lost_calls:
            found.append({"what": f"{self._record.lost_calls} log calls", "why": "no room on the disk"})
        if self._record.damaged_bytes:
            found.append({"what": f"{self._record.damaged_bytes} bytes of its files", "why": "damaged on the disk"})
        lost = sum(content.lost_columns for content in self._writers.contents)
        if lost:
            found.append({"what": f"{lost} blocks of points", "why": "damaged on the disk"})
        found += [{"what": "a file", "why": reason} for reason in self._writers.unreadable]
        return found

    def artifact(self, name: str) -> Artifact:
        """The newest artifact with this name or role.

        Raises:
            ArtifactNotFound: there is none; the message names those that exist.
        """
        artifacts = self.artifacts
        for wanted in (lambda item: item.name == name, lambda item: name in item.roles):
            found = [item for item in artifacts if wanted(item)]
            if found:
                return found[-1]
        known = list(
            dict.fromkeys([*(role for item in artifacts for role in item.roles), *(item.name for item in artifacts)])
        )
        close = get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known[:10]) or 'none'}"
        raise ArtifactNotFound(f"run {self.name!r} has no artifact {name!r}; {hint}")

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; None removes one."""
        with self.attach() as run:
            run.set_tags(tags)

    def note(self, text: str) -> None:
        """Add a note."""
        with self.attach() as run:
            run.note(text)

    def attach(self) -> Run:
        """The run open for additions from this process; `finish()` it. Its status and end stay as they are.

        Raises:
            StoreRefused: the store can't be written.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RunloreWarning)
            run = attach(self.store.folder, self.id)
        if run.run_log.writer is None:
            raise StoreRefused(f"nothing can be added to run {self.name!r}: {str(self.store.root)!r} can't be written")
        return run

    def _repr_html_(self) -> str:
        age, took = ago_text(self.started), duration_text(self.duration)
        params = [[key, str(value)] for key, value in self.params.items()]
        metrics = [
            [key, number_text(series.last), number_text(series.min), number_text(series.max), str(series.count)]
            for key, series in self.metrics.items()
        ]
        return html.page(
            self.name,
            f"{self.status} · {age} · {took} · {self.experiment} · {self.id}",
            html.table(["metric", "last", "min", "max", "points"], metrics),
            html.table(["param", "value"], params),
        )

    def __repr__(self) -> str:
        return f"<RecordedRun {self.name!r} {self.id} {self.status}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedRun) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def _read(self) -> tuple[Record, Writers]:
        return read_record(self.store.folder, self.id)

    @property
    def _record(self) -> Record:
        return self._read[0]

    @property
    def _writers(self) -> Writers:
        return self._read[1]

    def _artifact(self, item: dict[str, Any]) -> Artifact:
        members = tuple(Member(*member) for member in item.get("files", ()))
        return Artifact(
            name=item.get("name", ""),
            kind=item.get("kind", "file"),
            path=item.get("path"),
            size=item.get("size"),
            sha256=item.get("sha256"),
            stored=bool(item.get("stored")),
            step=item.get("step"),
            epoch=item.get("epoch"),
            roles=tuple(item.get("roles") or ()),
            present=bool(item.get("present")),
            members=members,
            is_folder="files" in item,
            blobs=Blobs(self.store.folder.blobs),
            monitor=item.get("monitor"),
            value=item.get("value"),
            why=item.get("why"),
        )


FIELDS = ("id", "name", "experiment", "status", "started", "ended", "duration_s", "parent")  # of every run


class RunList(Sequence[RecordedRun]):
    """Runs, in the order asked for. `hints` tells of keys in the query that no run has."""

    def __init__(self, store: "Runs", runs: list[RecordedRun], hints: tuple[str, ...] = ()) -> None:
        self.store = store
        self._runs = runs
        self.hints = hints

    @overload
    def __getitem__(self, place: int) -> RecordedRun: ...
    @overload
    def __getitem__(self, place: slice) -> "RunList": ...
    def __getitem__(self, place: int | slice) -> "RecordedRun | RunList":
        if isinstance(place, slice):
            return RunList(self.store, self._runs[place], self.hints)
        return self._runs[place]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[RecordedRun]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return f"<RunList of {len(self)}>"

    def _repr_html_(self) -> str:
        keys = list(dict.fromkeys(key for run in self for key in run.metrics))[:8]
        rows = [
            [run.name, run.status, ago_text(run.started), duration_text(run.duration)]
            + [number_text(run.metrics[key].last) if key in run.metrics else "" for key in keys]
            for run in self[:MAX_ROWS]
        ]
        return html.table(["name", "status", "started", "duration", *keys], rows, len(self) - MAX_ROWS)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat mapping a run: its fields, then `params.…`, `metrics.….last` and so on, `summary.…`, `tags.…`."""
        return [flat_row(run) for run in self._runs]

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a run. Needs pandas."""
        import pandas

        return pandas.DataFrame(self.to_rows(), columns=None if self._runs else list(FIELDS))

    def to_polars(self) -> "polars.DataFrame":
        """One row a run. Needs polars."""
        import polars

        return polars.DataFrame(_even_columns(self.to_rows()), infer_schema_length=None, strict=False)

    def to_arrow(self) -> "pyarrow.Table":
        """One row a run; a column in which no run has a value is one of texts, or of numbers. Needs pyarrow."""
        import pyarrow

        table = pyarrow.table(_even_columns(self.to_rows()) or {name: [] for name in FIELDS})
        empty = {name for name in table.column_names if pyarrow.types.is_null(table.column(name).type)}
        kinds = {"started": pyarrow.timestamp("us", "UTC"), "ended": pyarrow.timestamp("us", "UTC")}
        kinds |= {name: pyarrow.float64() for name in empty if name.startswith("metrics.") or name == "duration_s"}
        for place, name in enumerate(table.column_names):
            if name in empty:
                column = table.column(name).cast(kinds.get(name, pyarrow.string()))
                table = table.set_column(place, name, column)
        return table


def flat_row(run: RecordedRun) -> dict[str, Any]:
    """A run as one flat mapping."""
    row: dict[str, Any] = {
        "id": run.id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "duration_s": run.duration,
        "parent": run.parent_id,
    }
    row |= {f"params.{key}": value for key, value in run.params.items()}
    for key, series in run.metrics.items():
        row |= {f"metrics.{key}.{name}": getattr(series, name) for name in AGGREGATES}
    row |= {f"summary.{key}": value for key, value in run.summary.items()}
    return row | {f"tags.{key}": value for key, value in run.tags.items()}
