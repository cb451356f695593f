"""Runs as readers see them: one, and a list of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from runlore._ids import id_day
from runlore._startup import user_name
from runlore._text import ago_text, as_time, duration_text, number_text, status_text
from runlore._warnings import without_reports
from runlore.errors import NoteNotFound, StoreRefused
from runlore.index.fields import AGGREGATES, SET
from runlore.index.rows import Summary, Values, values_of
from runlore.log.folder import Folder
from runlore.log.replay import Replay
from runlore.log.series import Metrics
from runlore.log.values import text_of
from runlore.store import frames, html
from runlore.store.details import Details, Note

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from runlore.recording.run import Run

T = TypeVar("T")

DESCRIPTION = "description"  # the tag
ARCHIVED = "archived"  # likewise, of runs that tables leave out
MAX_ROWS = 50  # of a table in a notebook


class Runs(Protocol):
    """A store, as far as its runs ask it; `Store` is one."""

    folder: Folder

    @property
    def root(self) -> Path:
        """The store's folder."""

    def run(self, part: str) -> "RecordedRun":
        """Return the run with this id, name, or unique part of an id."""

    def ask(self, question: Callable[..., T], *arguments: Any) -> T:
        """Return the answer of a question of the index."""

    def known(self, ids: Sequence[str]) -> "list[RecordedRun]":
        """Return the runs with some ids, those that are there."""

    def runs(self, where: str = "", *, sort: str = "", limit: int | None = None) -> "RunList":
        """Return the runs that fulfil a query."""


class RecordedRun(Details):
    """A run as it was recorded when the store was asked; ask the store again to see what came since.

    The methods that add something (`set_tags`, `note`) work on finished runs too, from any process.
    """

    def __init__(self, store: Runs, summary: Summary) -> None:
        super().__init__(store.folder, summary.id, summary.name, lambda: _known_logs(self))
        self.store = store
        self.parent_id = summary.parent
        self.experiment = summary.experiment
        self.status = summary.status
        self.started = as_time(summary.started)
        self.ended = None if summary.ended is None else as_time(summary.ended)
        self._ran = summary.ran
        self.damaged_bytes = summary.damaged_bytes
        self._summary = summary

    @cached_property
    def _values(self) -> Values:
        return values_of(self._summary)

    @property
    def params(self) -> dict[str, Any]:
        """The params by key; nested ones with dots."""
        return self._values.params

    @property
    def captured(self) -> frozenset[str]:
        """The keys of `params` that nobody passed: defaults, and what follows from others."""
        return self._values.captured

    @property
    def summary(self) -> dict[str, Any]:
        """The values for the whole run by key."""
        return self._values.summary

    @property
    def tags(self) -> dict[str, str]:
        """The tags by key."""
        return self._values.tags

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics by key, each with its series."""
        return Metrics(self._values.metrics, lambda: self.writers.contents)

    @property
    def duration(self) -> float | None:
        """Seconds that it ran: all its segments together, without its machine's sleep; None while it runs."""
        return None if self._ran is None else self._ran / 1e6

    @property
    def parent(self) -> "RecordedRun | None":
        """The run that this is a child of (`parent_id`); None without one, or if it is not in the store."""
        return next(iter(self.store.known([] if self.parent_id is None else [self.parent_id])), None)

    @property
    def children(self) -> "RunList":
        """The runs that name this as their parent, oldest first."""
        return self.store.runs(f"parent == {self.id!r}", sort="id")

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; None removes one."""
        with self.attach() as run:
            run.set_tags(tags)

    def note(self, text: str) -> None:
        """Add a note, in Markdown if you like; it bears the time, and the name of this user."""
        with self.attach() as run:
            run.note(text)

    def edit_note(self, note: Note, text: str | None) -> None:
        """Give the note of that time another text; None removes it, and a text brings it back.

        The store's object stays as it was read.

        Raises:
            NoteNotFound: the run has no such note.
            ValueError: the text is empty.
        """
        words = None if text is None else text_of(text).strip()
        time = int(note.time.timestamp() * 1e6)
        if words == "":
            raise ValueError("the text of a note is empty: None removes it")
        if not self._record.has_note(time):
            raise NoteNotFound(f"run {self.name!r} has no note of {note.time:%Y-%m-%d %H:%M:%S.%f} UTC")
        changed = {} if words is None else {"text": words}
        with self.attach() as run:
            run.run_log.event({"type": "corrected", "note": time, **changed, "user": user_name()})

    def edit(self, *, name: str | None = None, experiment: str | None = None, description: str | None = None) -> None:
        """Give the run another name, move it to another experiment, or describe it: the tag `description`.

        What is None stays; an empty description is taken off. The store's object stays as it was read.

        Raises:
            ValueError: a name or an experiment is empty.
        """
        given = {"name": name, "experiment": experiment}
        told = {key: text_of(value).strip() for key, value in given.items() if value is not None}
        empty = next((key for key, value in told.items() if not value), None)
        if empty is not None:
            raise ValueError(f"the {empty} is {given[empty]!r}: write at least one letter")
        with self.attach() as run:
            if told:
                run.run_log.event({"type": "edited", **told})
            if description is not None:
                run.set_tags({DESCRIPTION: description.strip() or None})

    def archive(self, *, off: bool = False) -> None:
        """Leave the run out of tables, charts and statistics, or with `off` show it there again: the tag `archived`.

        It keeps everything, and its name and id stand for it as before. Children stay as they are.
        """
        self.set_tags({ARCHIVED: None if off else SET})

    def attach(self) -> "Run":
        """Open the run for additions from this process; `finish()` closes it. Its status and end stay as they are.

        Raises:
            StoreRefused: the store can't be written.
        """
        from runlore.recording.run import attach

        with without_reports():
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
            f"{status_text(self.status, self.ended)} · {age} · {took} · {self.experiment} · {self.id}",
            html.table(["metric", "last", "min", "max", "points"], metrics),
            html.table(["param", "value"], params),
        )

    def __repr__(self) -> str:
        return f"<RecordedRun {self.name!r} {self.id} {self.status}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedRun) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


def _known_logs(run: RecordedRun) -> dict[str, Replay]:
    """Return what the index knows of the damaged logs of a run that have not changed since, by file name."""
    if not run.damaged_bytes:
        return {}
    from runlore.index.changes import known_replays  # which most runs don't need

    known = run.store.ask(known_replays, run.store.folder, id_day(run.id), run.id)
    return {name: replay for name, replay in known.items() if replay.settled}


FIELDS = ("id", "name", "experiment", "status", "started", "ended", "duration_s", "parent")  # of every run


class RunList(Sequence[RecordedRun]):
    """Runs in the order asked for. `hints` tell of keys in the query that no run has."""

    def __init__(self, store: Runs, runs: list[RecordedRun], hints: tuple[str, ...] = ()) -> None:
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
        """Return a flat mapping for each run: its fields, `params.…`, `metrics.….last` …, `summary.…`, `tags.…`."""
        return [flat_row(run) for run in self._runs]

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with a row for each run. Needs pandas."""
        return frames.to_pandas(self.to_rows(), FIELDS)

    def to_polars(self) -> "polars.DataFrame":
        """Return a table with a row for each run. Needs polars."""
        return frames.to_polars(self.to_rows())

    def to_arrow(self) -> "pyarrow.Table":
        """Return a table with a row for each run. Needs pyarrow."""
        return frames.to_arrow(self.to_rows(), FIELDS)


def flat_row(run: RecordedRun) -> dict[str, Any]:
    """Return a run as one flat mapping."""
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
