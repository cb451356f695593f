"""Know which run a fitted estimator is of, without keeping the estimator alive."""

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sklearn.frozen import FrozenEstimator

from runlore import FitSession, Store, guest
from runlore.guest.additions import Additions, KnownWeights, Source
from runlore.guest.wrapping import ByIdentity
from runlore_sklearn._weights import weights_in

MAX_PARTS = 100  # of a fitted estimator that lead to its run, too
MAX_DEPTH = 4  # of estimators within estimators
MAX_OPEN = 64  # runs of estimators whose `partial_fit` may be called again
MAX_WAITING = 100  # calls of `partial_fit` beyond that, until they are written together
FITTED = ("best_estimator_", "estimator_", "regressor_", "final_estimator_")

Numbers = dict[str, float]


@dataclass(eq=False, slots=True)
class Owner:
    """A recorded fit as it is known after its end: its run, its weights, and the fingerprint of its data."""

    session: FitSession
    weights: "KnownWeights | None" = None  # None where they are not compared
    trained_on: str | None = None
    fitted: "list[weakref.ref[Any]]" = field(default_factory=list)  # by which another fit is noticed
    goes_on: bool = False  # True while `partial_fit` may be called again
    under_way: bool = False  # True in such a call
    waiting: list[Numbers] | None = None  # None until the run is closed to make room; then what is still to be added

    def made(self, estimator: Any) -> bool:
        """Return True if an estimator has the weights of this fit: a user may have assigned others since."""
        return self.goes_on or self.weights is None or self.weights.place(weights_in(estimator)) is not None

    def take(self, numbers: Numbers) -> None:
        """Take the numbers of a further call of `partial_fit`, where the run is closed."""
        if self.waiting is not None:
            self.waiting.append(numbers)
            if len(self.waiting) >= MAX_WAITING:
                self._add_waiting()

    def make_room(self) -> None:
        """Close the run for now, which reads finished then."""
        self.session.end()
        self.waiting = []

    def end(self) -> None:
        """End what `partial_fit` began."""
        if self.goes_on:
            self.goes_on = False
            if self.waiting is None:
                self.session.end()
            else:
                self._add_waiting()

    def _add_waiting(self) -> None:
        additions, waiting = Additions(self.session.run), self.waiting or []
        while waiting:
            additions.metrics(waiting.pop(0))
        additions.close()


class Writer(NamedTuple):
    """The run that wrote the file that an estimator was read from, and the fingerprint of the data that it fitted."""

    additions: Additions
    trained_on: str | None


@dataclass(eq=False, slots=True)
class Read:
    """The file that an estimator was read from, its weights then, and the run that wrote it, once somebody asks."""

    source: Source
    weights: KnownWeights
    is_asked: bool = False
    writer: Writer | None = None


class Owners(guest.Part):
    """The recorded fits of estimators and of their fitted parts, as long as these live. Threads may share it."""

    rank = 1
    inherited = True

    def __init__(self) -> None:
        self._owners: ByIdentity[Owner] = ByIdentity()
        self._read: ByIdentity[Read] = ByIdentity()  # the files of those that were not fitted here
        self._lock = threading.RLock()
        self._open: OrderedDict[int, Owner] = OrderedDict()  # those that go on, the one that was used last behind
        self._left: deque[Owner] = deque()  # their estimators are gone

    def of(self, estimator: Any) -> Owner | None:
        """Return what is known of an estimator; None where no recorded fit made it."""
        return self._owners.get(estimator)

    def maker_of(self, estimator: Any) -> Owner | None:
        """Return the recorded fit that made the weights of an estimator; None also where the user has set others."""
        found = self._owners.get(estimator)
        return found if found is not None and found.made(estimator) else None

    def set(self, estimator: Any, session: FitSession, trained_on: str | None = None, *, goes_on: bool = False) -> None:
        """Note the fit that an estimator and its fitted parts come from.

        Parts that were fitted before, and were only used here, stay with their own runs, to which this one is linked.
        The run of an estimator that `goes_on` with `partial_fit` ends some time after the estimator is gone, if not
        before: garbage is collected in the midst of anything.
        """
        used, weights_of = set(), _no_weights if goes_on else known_weights
        for part in list(_parts(estimator, MAX_DEPTH))[:MAX_PARTS]:
            known = self._owners.get(part)
            if known is not None and known.session.run.id != session.run.id and _is_as_before(known, part):
                used.add(known.session.run.id)
            else:
                self._owners.set(part, Owner(session, weights_of(part), trained_on, _fitted(part)))
        for run_id in sorted(used):
            session.link("uses", run_id)
        self._owners.set(estimator, Owner(session, weights_of(estimator), trained_on, _fitted(estimator), goes_on))
        owner = self._owners.get(estimator)
        if goes_on and owner is not None:  # None for a class without weak references: each call makes a run
            weakref.finalize(estimator, self._left.append, owner).atexit = False  # at exit all runs end anyway

    def set_source(self, estimator: Any, source: Source) -> None:
        """Note the file that an estimator was read from."""
        self._read.set(estimator, Read(source, known_weights(estimator)))

    def writer_of(self, estimator: Any) -> Writer | None:
        """Return the run that wrote the file that an estimator was read from; looked up once."""
        found = self._read.get(estimator)
        if found is None or found.weights.place(weights_in(estimator)) is None:
            return None
        if not found.is_asked:
            found.is_asked, found.writer = True, _writer_of(found.source)
        return found.writer

    def use(self, owner: Owner, *, under_way: bool) -> None:
        """Note that a call of `partial_fit` begins or ends, and close the runs that were not used for longest."""
        with self._lock:
            owner.under_way = under_way
            if not owner.goes_on or owner.waiting is not None:
                return
            self._open[id(owner)] = owner
            self._open.move_to_end(id(owner))
            for key, other in list(self._open.items())[: max(0, len(self._open) - MAX_OPEN)]:
                if not other.under_way:
                    del self._open[key]
                    other.make_room()

    def discard(self, estimator: Any) -> Owner | None:
        """Forget an estimator that is fitted anew, and end what `partial_fit` began; return what was known of it."""
        self.end_left()
        self._read.pop(estimator)
        owner = self._owners.pop(estimator)
        if owner is not None:
            self._end(owner)
        return owner

    def end_left(self) -> None:
        """End the runs of estimators that are gone."""
        while self._left:
            self._end(self._left.popleft())

    def end(self) -> None:
        """Add what still waits; the runs that are open end behind this."""
        for owner in self._all():
            if owner.waiting:
                owner.end()

    def forget(self) -> None:
        """Leave to the parent what waits to be added."""
        self._lock = threading.RLock()
        for owner in self._all():
            owner.waiting = None if owner.waiting is None else []

    def __bool__(self) -> bool:
        return bool(self._owners)

    def _all(self) -> list[Owner]:
        return [*self._owners.values(), *self._left]

    def _end(self, owner: Owner) -> None:
        with self._lock:
            self._open.pop(id(owner), None)
            owner.end()


def owners() -> Owners:
    """Return what this process knows of its estimators."""
    return guest.part(Owners)


def known_weights(estimator: Any) -> KnownWeights:
    """Return what knows the weights that an estimator has now."""
    found = KnownWeights(fixed=True)
    found.note(None, None, weights_in(estimator))
    return found


def _no_weights(estimator: Any) -> None:
    """Return that those of an estimator that goes on are not known."""


def _writer_of(source: Source) -> Writer | None:
    additions = Additions.to_writer_of(source.path) if source.is_unchanged else None
    if additions is None:
        return None
    data = Store(additions.run.folder.root).run(additions.run.id).data
    return Writer(additions, data.get("X", {}).get("fingerprint"))


def _parts(estimator: Any, depth: int) -> Iterator[Any]:
    """Yield the fitted estimators inside: the best of a search, the steps of a pipeline, the members of an ensemble."""
    if depth == 0:
        return
    known = vars(estimator)
    found = [known.get(name) for name in FITTED]
    found += [step[1] for step in known.get("steps") or () if isinstance(step, tuple) and len(step) == 2]
    members = known.get("estimators_")
    found += list(members)[:MAX_PARTS] if isinstance(members, list) else []
    found += [value for value in known.values() if isinstance(value, FrozenEstimator)]
    if isinstance(estimator, FrozenEstimator):
        found.append(known.get("estimator"))
    for part in found:
        if part is not None and hasattr(type(part), "get_params") and hasattr(part, "__dict__"):
            yield part
            yield from _parts(part, depth - 1)


def _fitted(estimator: Any) -> "list[weakref.ref[Any]]":
    """Return the fitted attributes of an estimator that take weak references, as arrays do."""
    values = [value for name, value in vars(estimator).items() if name.endswith("_") and not name.startswith("_")]
    return [weakref.ref(value) for value in values if getattr(type(value), "__weakrefoffset__", 0)]


def _is_as_before(owner: Owner, estimator: Any) -> bool:
    """Return True if no fit has made an estimator's attributes anew since its owner was noted."""
    now = {id(value) for value in vars(estimator).values() if value is not None}
    return bool(owner.fitted) and all(id(reference()) in now for reference in owner.fitted)
