"""Rename runs, move them to another experiment, describe and archive them."""

from collections.abc import Sequence

from runlore.index.fields import SET
from runlore.maintenance.removal import with_descendants
from runlore.store.runs import ARCHIVED, RecordedRun


def edit(
    run: RecordedRun, *, name: str | None = None, experiment: str | None = None, description: str | None = None
) -> None:
    """Give a run another name, move it with its descendants to another experiment, describe it.

    What is None stays; an empty description is taken off.

    Raises:
        ValueError: the name or the experiment is empty; nothing is changed then.
        StoreRefused: the store can't be written.
    """
    run.edit(name=name, experiment=experiment, description=description)
    if experiment is not None:
        for child in with_descendants([run])[1:]:
            child.edit(experiment=experiment)


def archive(runs: Sequence[RecordedRun], *, off: bool = False) -> list[RecordedRun]:
    """Archive runs of one store and their descendants, or with `off` archive them no longer. Return those that changed.

    Raises:
        StoreRefused: the store can't be written.
    """
    changed = [run for run in with_descendants(runs) if (run.tags.get(ARCHIVED) == SET) is off]
    for run in changed:
        run.archive(off=off)
    return changed
