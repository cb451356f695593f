"""Rename runs, move them to another experiment, describe them."""

from runlore.maintenance.removal import with_descendants
from runlore.store.runs import RecordedRun


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
