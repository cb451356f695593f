"""Know which run a fitted estimator is of, without keeping the estimator alive."""

import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from runlore import FitSession, guest
from runlore.guest.wrapping import ByIdentity

MAX_PARTS = 100  # of a fitted estimator that lead to its run, too
MAX_DEPTH = 4  # of estimators within estimators


@dataclass(eq=False, slots=True)
class Owner:
    """A recorded fit as it is known after its end: its run, and the data that it met, by fingerprints."""

    session: FitSession
    trained_on: str | None = None
    tested_on: list[str | None] = field(default_factory=list)
    goes_on: bool = False  # True while `partial_fit` may be called again: the run is open


class Owners(guest.Part):
    """The recorded fits of estimators and of their fitted parts, as long as these live."""

    inherited = True

    def __init__(self) -> None:
        self._owners: ByIdentity[Owner] = ByIdentity()

    def of(self, estimator: Any) -> Owner | None:
        """Return what is known of an estimator; None where no recorded fit made it."""
        return self._owners.get(estimator)

    def set(self, estimator: Any, session: FitSession, trained_on: str | None = None, *, goes_on: bool = False) -> None:
        """Note the fit that an estimator and its fitted parts come from.

        The run of one that `goes_on` with `partial_fit` ends when the estimator is gone, if not before.
        """
        for part in [estimator, *_parts(estimator, MAX_DEPTH)][:MAX_PARTS]:
            self._owners.set(part, Owner(session, trained_on))
        owner = self._owners.get(estimator)
        if goes_on and owner is not None:  # None for a class without weak references: each call makes a run
            owner.goes_on = True
            weakref.finalize(estimator, _end_left, owner).atexit = False  # at exit all runs end anyway

    def discard(self, estimator: Any) -> Owner | None:
        """Forget an estimator that is fitted anew, and end what `partial_fit` began; return what was known of it."""
        owner = self._owners.pop(estimator)
        if owner is not None and owner.goes_on:
            owner.goes_on = False
            owner.session.end()
        return owner

    def __bool__(self) -> bool:
        return bool(self._owners)


def owners() -> Owners:
    """Return what this process knows of its estimators."""
    return guest.part(Owners)


def _parts(estimator: Any, depth: int) -> Iterator[Any]:
    """Yield the fitted estimators inside: the best of a search, the steps of a pipeline, the members of an ensemble."""
    if depth == 0:
        return
    found = [vars(estimator).get("best_estimator_"), vars(estimator).get("estimator_")]
    found += [step[1] for step in vars(estimator).get("steps") or () if isinstance(step, tuple) and len(step) == 2]
    members = vars(estimator).get("estimators_")
    found += list(members)[:MAX_PARTS] if isinstance(members, list) else []
    for part in found:
        if part is not None and hasattr(type(part), "get_params") and hasattr(part, "__dict__"):
            yield part
            yield from _parts(part, depth - 1)


def _end_left(owner: Owner) -> None:
    """End the run of an estimator that is gone, on another thread: garbage is collected in the midst of anything."""
    if not owner.goes_on or owner.session.run.ended or sys.is_finalizing():
        return
    with suppress(RuntimeError):  # no thread can be started: the run ends at exit
        threading.Thread(target=owner.session.end, name="runlore-sklearn").start()
