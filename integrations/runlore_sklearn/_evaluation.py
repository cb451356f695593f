"""Add the score on other data to the run that fitted the estimator, and describe that data."""

from typing import Any

import numpy as np

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.recorder import Recorder
from runlore.guest.session import Beside
from runlore.guest.wrapping import Written
from runlore_sklearn._data import Args, Kwargs, data_of
from runlore_sklearn._framework import NAME
from runlore_sklearn._owners import owners


def record_score(estimator: Any, args: Args, kwargs: Kwargs, score: Any, written: Written) -> None:
    """Add a score, unless it is that of the training data; `written` is X in the call. Never raises."""
    owners().end_left()
    target = _target(estimator) if np.isscalar(score) else None
    if target is None:
        return
    additions, trained_on = target
    data = dict(zip(("test", "test_y"), data_of(args, kwargs), strict=True))
    found = {name: guest.describe(part) for name, part in data.items()}
    x = found["test"]
    if x is not None and x.fingerprint == trained_on:
        return
    named = additions.evaluated_on("test", data, found=found, written=written)
    if named.is_new:
        additions.data(named.name_of("test"), x)
    additions.metrics({f"test_score{named.ending}": score}, split="test")


def is_within_another() -> bool:
    """Return True within a recorded fit of another framework's, in which a callback may score: a probe, say."""
    session = guest.current()
    return bool(session) and session is not None and session.integration != NAME


def _target(estimator: Any) -> tuple[Recorder, str | None] | None:
    """Return the run that fitted an estimator, here or before it was read from a file, and what tells its data.

    Within a fit of another framework's it is the run of that.
    """
    owner = owners().maker_of(estimator)
    if guest.in_fit():
        made_by, name = None if owner is None else owner.session.run.id, type(estimator).__name__
        beside = Beside.fit_under_way(estimator, name, made_by) if is_within_another() else None
        return None if beside is None else (beside, None if owner is None else owner.trained_on)
    return owners().writer_of(estimator) if owner is None else (Additions(owner.session.run), owner.trained_on)
