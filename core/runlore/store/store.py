"""Stores of runs: where runs are started and found."""

import operator
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from runlore import _ids
from runlore._process import process
from runlore._settings import NAMES, expanded, read_once, setting
from runlore._text import as_time, closest
from runlore.errors import AmbiguousRun, BackendNotFound, RunloreWarning, RunNotFound, StoreRefused
from runlore.log.folder import Folder, find_folder

if TYPE_CHECKING:  # what only readers need, and what only recording does, is imported when it is asked for
    from runlore.index.database import Sqlite
    from runlore.index.fields import Field
    from runlore.index.index import Index
    from runlore.index.rows import Summary
    from runlore.recording.run import Run
    from runlore.store.models import Model
    from runlore.store.runs import RecordedRun, RunList

P = ParamSpec("P")
T = TypeVar("T")
MAX_TOLD = 200  # characters of what was given for a run that a message repeats


def open_store(location: str | os.PathLike[str] | None = None) -> "Store":
    """Open the store at a path or URL; without one, the store of the nearest `.runlore` upwards, found like `.git`.

    A store that does not exist yet has no runs; it is made by the first run.

    Raises:
        BackendNotFound: no backend knows the URL's scheme.
        StoreRefused: it is no store; or it can't be read, or belongs to another user and nobody named it.
        FormatError: a newer runlore made it.
        SettingError: a setting is not valid, or the path begins with a home folder that is not known.
    """
    by_user = location is not None or NAMES["store"] in os.environ  # and not by a file, which others may have written
    if location is None and "://" in (setting("store") or ""):
        location = setting("store")
    if location is None:
        root, named = find_folder()
    else:
        text = os.fspath(location)
        scheme, separator, rest = text.partition("://")
        if separator and scheme != "file":
            raise BackendNotFound(f"no backend for {scheme!r} in {text!r}: give a folder, or a file:// URL")
        root, named = expanded(rest if separator else text).absolute(), True
        if root.name != ".runlore" and not (root / "format").exists() and (root / ".runlore").is_dir():
            root = root / ".runlore"
    try:
        return _checked(root, named=named, by_user=by_user)
    except StoreRefused:
        raise
    except PermissionError as error:
        raise StoreRefused(f"the store at {str(root)!r} can't be read: {_owner_text(root)}") from error


def _checked(root: Path, *, named: bool, by_user: bool) -> "Store":
    """Return the store at a path, or what may become one; `named` somewhere, or by the user.

    Raises:
        PermissionError: this user can't look into the folder.
    """
    store = Store(root)
    if store.exists:
        store.folder.check(named=by_user)
    elif root.exists():
        if not root.is_dir():
            raise StoreRefused(f"{str(root)!r} is a file, not a store: name a folder")
        store.folder.check_parts()
        if named and store.folder.foreign():
            raise StoreRefused(f"{str(root)!r} is a folder with other things in it, not a store: name an empty one")
        store.folder.check_owner(named=by_user)
    return store


def _experiment_of(run: "Run | RecordedRun | None") -> str | None:
    from runlore.recording.run import Run

    return run.run_log.opening.get("experiment") if isinstance(run, Run) else None if run is None else run.experiment


def _owner_text(root: Path) -> str:
    try:
        owner = root.stat().st_uid
    except OSError:
        return "a folder above it is closed to this user"
    if owner == os.getuid():
        return "its files are closed to this user"
    return f"it belongs to user {owner}; name another place with RUNLORE_STORE, or let that user give it away"


class Store:
    """A folder of runs. Making the object touches nothing; `open_store` also checks format and owner.

    `clock` returns seconds since 1970. Threads may share a store to write runs; to read, each should open its own.
    """

    def __init__(self, root: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> None:
        self.folder = Folder(Path(root))
        self._clock = clock

    @property
    def root(self) -> Path:
        """The store's folder."""
        return self.folder.root

    @property
    def exists(self) -> bool:
        """True if the store was made already."""
        return self.folder.exists()

    def start_run(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        params: object | None = None,
        tags: Mapping[str, Any] | None = None,
        parent: "str | Run | RecordedRun | None" = None,
        resume: str | None = None,
        at_step: int | None = None,
    ) -> "Run":
        """Start a run; with `resume`, go on with a run that has not finished, as a new segment of it.

        A resumed run goes on behind its last step; with `at_step`, points of earlier segments behind that step are
        superseded. A run that is whole, or still written by a living process, is left alone: a new one is started and
        linked to it as `resumed_from`. `resume="allow"` goes on with the newest run of this name, without a name with
        that of this scheduler's job, and starts one where there is none; see docs/python.md.

        Raises:
            RunNotFound: no run matches `parent`, or `resume` if it is not "allow".
            AmbiguousRun: several runs do.
            TypeError: params or tags are no mapping.
        """
        from runlore.recording.open_runs import OpenRuns
        from runlore.recording.run import unrecorded

        try:
            with read_once():
                run = self._start(name, experiment, params, tags, parent, resume, at_step)
        except OSError as error:  # descriptors are used up, say, or an earlier run can't be looked for
            run = unrecorded(name, error)
        process.part(OpenRuns).start(run)
        return run

    def group(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        params: object | None = None,
        tags: Mapping[str, Any] | None = None,
        parent: "str | Run | RecordedRun | None" = None,
        resume: str | None = None,
    ) -> "Run":
        """Start a run that is the parent of those in its block: of each fit, and of each run that is started there.

        For the folds of a cross-validation, say, or the trials of a search. No fit joins it. The arguments are those of
        `start_run`.
        """
        run = self.start_run(name, experiment=experiment, params=params, tags=tags, parent=parent, resume=resume)
        run.fit.is_group = True
        return run

    def _start(
        self,
        name: str | None,
        experiment: str | None,
        params: object | None,
        tags: Mapping[str, Any] | None,
        parent: "str | Run | RecordedRun | None",
        resume: str | None,
        at_step: int | None,
    ) -> "Run":
        from runlore.recording.starting import StartRequest, start

        if parent is None:
            parent = _open_group(self)
        parent_id: str | None
        if isinstance(parent, str):
            parent_id = parent if _ids.is_run_id(parent) else self.run(parent).id
        else:
            parent_id = None if parent is None else parent.id
            experiment = _experiment_of(parent) if experiment is None else experiment
        if resume is not None and self.exists:
            self.index.patience = None  # the run to go on with may be one that a look puts off
        if resume == "allow":
            from runlore.recording.resuming import find_job
            from runlore.store.earlier import JOB, find_earlier

            job = find_job()
            earlier = find_earlier(self.runs, name, experiment, parent_id, job)
            if job is not None and (tags is None or isinstance(tags, Mapping)):
                tags = {JOB: job.id, **(tags or {})}
        else:
            earlier = None if resume is None else self.run(resume).id
        request = StartRequest(
            name=name,
            experiment=experiment,
            params=params,
            tags=tags,
            parent=parent_id,
            resume=earlier,
            at_step=at_step,
        )
        return start(self.folder, request)

    def runs(self, where: str = "", *, sort: str = "", limit: int | None = None) -> "RunList":
        """Return the runs that fulfil a query, children included, the newest first unless `sort` says otherwise.

        `where` is a query (docs/queries.md). `sort` names fields, with "-" before one that descends:
        "-metrics.acc.max, started". Missing values and NaN come last either way.

        Raises:
            QueryError: the query or the order can't be understood.
        """
        from runlore.index.keys import hints_of
        from runlore.index.parse import parse_sort
        from runlore.index.select import select
        from runlore.index.sql import compile_query
        from runlore.store.runs import RecordedRun, RunList

        if limit is not None and limit < 0:
            raise ValueError(f"limit is {limit!r}: write 0 or more, or None for all")
        limit = None if limit is None else max(0, min(operator.index(limit), 1 << 40))
        compiled = compile_query(where, self._clock)
        order = parse_sort(sort) if sort else []

        def answer(database: "Sqlite") -> "tuple[list[Summary], list[str]]":
            summaries = select(database, compiled, order, limit)
            return summaries, hints_of(database, where, compiled, sort, order)

        summaries, hints = self.ask(answer)
        if hints and not summaries:
            warnings.warn(hints[0], RunloreWarning, stacklevel=2)
        return RunList(self, [RecordedRun(self, summary) for summary in summaries], tuple(hints))

    def check_query(self, where: str) -> "list[Field]":
        """Return the fields that a query names.

        Raises:
            QueryError: it can't be understood.
        """
        from runlore.index.conditions import fields_of
        from runlore.index.parse import parse_query

        return list(fields_of(parse_query(where, self._clock)))

    def has_key(self, field: "Field") -> bool:
        """Return True if some run has the key that a field names."""
        from runlore.index.keys import has_key

        return self.ask(has_key, field)

    def run(self, part: "str | Run") -> "RecordedRun":
        """Return the run with this id, name, or unique part of an id; of a `Run`, the run as it is recorded now.

        "model:digits@prod" is the run behind that version of a model.

        Raises:
            RunNotFound: there is none.
            AmbiguousRun: there are several; the message lists them.
        """
        from runlore.index.select import resolve
        from runlore.store.runs import RecordedRun

        part = part if isinstance(part, str) else part.id
        if part.startswith("model:"):
            from runlore.store.models import version_at

            version = version_at(self, part)
            if version is not None:
                return version.run
        found = self.ask(resolve, part)
        if not found:
            raise RunNotFound(f"no run matches {_told(part)} in {str(self.root)!r}: {_meant(self, part)}")
        if len(found) > 1:
            listed = "".join(
                f"\n  {item.id}  {item.name}  {item.status}  {as_time(item.started):%Y-%m-%d %H:%M:%S} UTC"
                for item in found[:10]
            )
            more = f"\n  … and {len(found) - 10} more" if len(found) > 10 else ""
            raise AmbiguousRun(
                f"{_told(part)} matches {len(found)} runs, name one by its id or the end of it:{listed}{more}",
                [item.id for item in found],
            )
        return RecordedRun(self, found[0])

    def known(self, ids: Sequence[str]) -> "list[RecordedRun]":
        """Return the runs with some ids, each once and in this order; those that the store lacks are left out."""
        from runlore.index.select import load_known
        from runlore.store.runs import RecordedRun

        return [RecordedRun(self, summary) for summary in self.ask(load_known, ids)] if ids else []

    def model(self, name: str) -> "Model":
        """Return the model with this name; one without versions where none was added yet.

        Raises:
            NameRefused: no model may have this name.
        """
        from runlore.store.models import Model

        return Model(self, name)

    def models(self) -> "list[Model]":
        """Return the models of the store, by name."""
        from runlore.store.models import list_models

        return list_models(self)

    def ask(self, question: "Callable[Concatenate[Sqlite, P], T]", *arguments: P.args, **options: P.kwargs) -> T:
        """Return the answer of a question, one of the functions in `runlore.index` that take a database.

        The index is brought up to date before, and the question sees one state of it. A store that does not exist yet
        answers as one without runs.
        """
        from runlore.index.index import ask_empty

        if not self.exists:
            return ask_empty(question, *arguments, **options)
        return self.index.ask(question, *arguments, **options)

    def reindex(self) -> int:
        """Read every file again and make the index anew; return the number of runs.

        Raises:
            TimeoutError: other processes kept the index busy.
        """
        from runlore.index.database import Locked

        if not self.exists:
            return 0
        try:
            return self.index.rebuild()
        except Locked:
            raise TimeoutError("other processes keep the index busy: try again") from None

    def quarantine(self, part: str) -> list[Path]:
        """Set the files of a run aside, such as one that is damaged or somebody else's; return where they are.

        `part` is its id, or what `run` takes. `release` takes them back.

        Raises:
            RunNotFound, AmbiguousRun: no run matches, or several do.
            StillRunning: it is being written.
            StoreRefused: a folder of the store is a link.
            OSError: the store can't be written.
        """
        from runlore.store.quarantine import set_aside

        return set_aside(self.folder, part if _ids.is_run_id(part) else self.run(part).id)

    def release(self, run_id: str) -> list[Path]:
        """Take the files of a run back that `quarantine` has set aside; return where they are.

        Raises:
            RunNotFound: it is not in quarantine.
            PlaceTaken: a file of the same name is there.
            StoreRefused: a folder of the store is a link.
            OSError: the store can't be written.
        """
        from runlore.store.quarantine import take_back

        return take_back(self.folder, run_id)

    def short_ids(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Return for each id an end of it that no other one has, at least six characters long."""
        length = _ids.SHORT_DIGITS
        while len({run_id[-length:] for run_id in run_ids}) < len(set(run_ids)):
            length += 1
        return {run_id: run_id[-length:] for run_id in run_ids}

    def __repr__(self) -> str:
        return f"<Store {str(self.root)!r}>"

    @cached_property
    def index(self) -> "Index":
        """The index of the store, a cache that may be deleted; opened when first needed."""
        from runlore.index.index import Index

        return Index(self.folder)


def _open_group(store: Store) -> "Run | None":
    """Return the group whose block this is called in; None where the innermost run is none, or of another store."""
    from runlore.recording.current import users_run

    run = users_run()
    if run is None or not run.fit.is_group or run.run_log.writer is None:
        return None
    return run if run.folder.root == store.root else None


def _meant(store: Store, part: str) -> str:
    """Return what may have been meant by a part of an id that no run matches."""
    from runlore.index.select import MIN_PART, list_names

    close = closest(part, store.ask(list_names))
    if close is None and len(part) < MIN_PART:
        return f"a part of an id has {MIN_PART} characters at least; `runlore ls` lists the runs"
    return f"did you mean {close!r}?" if close is not None else "`runlore ls` lists them"


def _told(part: str) -> str:
    """Return what was given for a run as a message repeats it."""
    return repr(part if len(part) <= MAX_TOLD else f"{part[:MAX_TOLD]}…")
