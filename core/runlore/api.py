"""The functions that act on the default store and the current run."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runlore._process import process
from runlore.errors import RunloreError
from runlore.recording.current import current_run, require_current_run
from runlore.recording.open_runs import OpenRuns
from runlore.recording.run import Run, unrecorded
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.store.runs import RecordedRun


__all__ = [
    "Run", "current_run", "group", "log_artifact", "log_histogram", "log_media", "log_metrics", "log_params",
    "log_table", "set_tags", "start_run",
]  # fmt: skip


def start_run(
    name: str | None = None,
    *,
    experiment: str | None = None,
    params: object | None = None,
    tags: Mapping[str, Any] | None = None,
    parent: "str | Run | RecordedRun | None" = None,
    resume: str | None = None,
    at_step: int | None = None,
    store: Store | str | os.PathLike[str] | None = None,
) -> Run:
    """Start a run in the default store, or in `store`; see `Store.start_run`.

    Without a name it gets one that a person can say. Inside a `with` block it is the current run; without one it ends
    with `finish()`, at the latest when Python exits. Where the default store can't be used, this is reported, and the
    run records nothing.

    Raises:
        StoreRefused, BackendNotFound, FormatError: `store` names what is no store for runs.
        RunNotFound, AmbiguousRun: no run matches `resume` or `parent`, or several runs do.
    """
    place = _place(name, store)
    if isinstance(place, Run):
        return place
    return place.start_run(
        name, experiment=experiment, params=params, tags=tags, parent=parent, resume=resume, at_step=at_step
    )


def group(
    name: str | None = None,
    *,
    experiment: str | None = None,
    params: object | None = None,
    tags: Mapping[str, Any] | None = None,
    parent: "str | Run | RecordedRun | None" = None,
    resume: str | None = None,
    store: Store | str | os.PathLike[str] | None = None,
) -> Run:
    """Start a run whose block holds others: each fit in it, the first one too, is a child, and so is each started run.

    `with runlore.group("cv"):` around the loop over the folds. Otherwise it is a run as `start_run` starts it.

    Raises:
        StoreRefused, BackendNotFound, FormatError: `store` names what is no store for runs.
        RunNotFound, AmbiguousRun: no run matches `resume` or `parent`, or several runs do.
    """
    place = _place(name, store)
    if isinstance(place, Run):
        return place
    return place.group(name, experiment=experiment, params=params, tags=tags, parent=parent, resume=resume)


def _place(name: object, store: Store | str | os.PathLike[str] | None) -> Store | Run:
    """Return the store of a run that is to be started; where the default one can't be used, a run without a record.

    Raises:
        StoreRefused, BackendNotFound, FormatError: `store` names what is no store for runs.
    """
    try:
        return store if isinstance(store, Store) else open_store(store)
    except (OSError, RunloreError) as error:
        if store is not None and isinstance(error, RunloreError):
            raise  # the caller named what is no store
        run = unrecorded(name, error)
        process.part(OpenRuns).start(run)
        return run


def log_metrics(
    metrics: Mapping[str, Any], step: int | None = None, epoch: float | None = None, split: str | None = None
) -> None:
    """Record numbers on the current run; see `Run.log_metrics`.

    Raises:
        NoCurrentRun: no run is open.
    """
    require_current_run().log_metrics(metrics, step, epoch, split)


def log_params(params: object) -> None:
    """Record parameters on the current run; see `Run.log_params`.

    Raises:
        NoCurrentRun: no run is open.
    """
    require_current_run().log_params(params)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags of the current run; see `Run.set_tags`.

    Raises:
        NoCurrentRun: no run is open.
    """
    require_current_run().set_tags(tags)


def log_artifact(
    path: str | os.PathLike[str], *, kind: str = "file", name: str | None = None, model: str | None = None
) -> None:
    """Keep a file or folder with the current run; see `Run.log_artifact`.

    Raises:
        NoCurrentRun: no run is open.
        FileNotFoundError: there is no such file.
    """
    require_current_run().log_artifact(path, kind=kind, name=name, model=model)


def log_media(
    key: str, value: Any, *, step: int | None = None, epoch: float | None = None,
    caption: "str | Sequence[str] | None" = None, kind: str | None = None, rate: int | None = None,
) -> None:  # fmt: skip
    """Keep images, audio, video, text or figures with the current run; see `Run.log_media`.

    Raises:
        NoCurrentRun: no run is open.
    """
    require_current_run().log_media(key, value, step=step, epoch=epoch, caption=caption, kind=kind, rate=rate)


def log_table(key: str, rows: Any, *, step: int | None = None, epoch: float | None = None) -> None:
    """Keep a table with the current run; see `Run.log_table`.

    Raises:
        NoCurrentRun: no run is open.
    """
    require_current_run().log_table(key, rows, step=step, epoch=epoch)


def log_histogram(
    key: str, values: Any, *, step: int | None = None, epoch: float | None = None, bins: int = 64
) -> None:  # fmt: skip
    """Keep a histogram with the current run; see `Run.log_histogram`.

    Raises:
        NoCurrentRun: no run is open.
    """
    require_current_run().log_histogram(key, values, step=step, epoch=epoch, bins=bins)
