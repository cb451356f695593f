"""Add the score on other data to the run that fitted the estimator, and describe that data."""

from typing import Any, NamedTuple

import numpy as np

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.opening import Opened, visit
from runlore.guest.recorder import Recorder
from runlore.guest.session import Beside
from runlore.guest.wrapping import ByIdentity, Written
from runlore_sklearn._copies import copies
from runlore_sklearn._data import Args, Kwargs, data_of
from runlore_sklearn._framework import NAME
from runlore_sklearn._owners import owners
from runlore_sklearn._training import makes_a_run


class Evaluated(NamedTuple):
    """The run that an evaluation belongs to, and the ending of its names; None for an evaluation on the training data.

    "" is the ending of the first other set.
    """

    recorder: Recorder
    ending: str | None


class _Visits(guest.Part):
    """The runs that have the scores of estimators that no run has made, where the user had one open."""

    inherited = True

    def __init__(self) -> None:
        self.runs: ByIdentity[Opened] = ByIdentity()


def record_score(estimator: Any, args: Args, kwargs: Kwargs, score: Any, written: Written) -> None:
    """Add a score, unless it is that of the training data; `written` is X in the call. Never raises."""
    owners().end_left()
    found = evaluated(estimator, args, kwargs, written, visits=True) if np.isscalar(score) else None
    if found is not None and found.ending is not None:
        found.recorder.metrics({f"test_score{found.ending}": score}, split="test")


def evaluated(
    estimator: Any, args: Args, kwargs: Kwargs, written: Written, *, visits: bool = False
) -> Evaluated | None:
    """Return what an evaluation of an estimator on X and y belongs to, and describe them there; None for no run.

    One that `visits` belongs to the run that the user has open where no run has made the estimator.
    """
    target = _target(estimator, visits)
    if target is None:
        return None
    recorder, trained_on = target
    data = dict(zip(("test", "test_y"), data_of(args, kwargs), strict=True))
    found = {name: guest.describe(part) for name, part in data.items()}
    x = found["test"]
    if x is not None and x.fingerprint == trained_on:
        return Evaluated(recorder, None)
    named = recorder.evaluated_on("test", data, found=found, written=written)
    if named.is_new:
        recorder.data(named.name_of("test"), x)
    return Evaluated(recorder, named.ending)


def is_within_another() -> bool:
    """Return True within a recorded fit of another framework's, in which a callback may score: a probe, say."""
    session = guest.current()
    return bool(session) and session is not None and session.integration != NAME


def _target(estimator: Any, visits: bool) -> tuple[Recorder, str | None] | None:
    """Return the run that fitted an estimator, here or before it was read from a file, and what tells its data.

    Within a fit of another framework's it is the run of that.
    """
    owner = owners().maker_of(estimator)
    if guest.in_fit():
        made_by, name = None if owner is None else owner.session.run.id, type(estimator).__name__
        beside = Beside.fit_under_way(estimator, name, made_by) if is_within_another() else None
        return None if beside is None else (beside, None if owner is None else owner.trained_on)
    if owner is None:
        return (
            owners().writer_of(estimator) or copies().maker_of(estimator) or (_visited(estimator) if visits else None)
        )
    return Additions(owner.session.run), owner.trained_on


def _visited(estimator: Any) -> tuple[Recorder, None] | None:
    """Return what adds to the run that the user has open, for an estimator that no run has made."""
    runs = guest.part(_Visits).runs
    opened = runs.get(estimator)
    if opened is None and makes_a_run(estimator):
        opened = visit(NAME, {"estimator": type(estimator).__name__})
        if opened is not None:
            runs.set(estimator, opened)
    return None if opened is None else (Additions(opened.run), None)
