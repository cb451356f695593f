"""The searches that record studies, and the runs that studies have had before in this process."""

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from runlore import guest
from runlore.guest.wrapping import ByIdentity
from runlore_optuna._framework import key_of, number_of, storage_of


class OpenSearch(Protocol):
    """Records a study, as this module needs it."""

    session: Any

    def conclude_at_exit(self) -> None:
        """Write what is known, and leave the end to the process."""


S = TypeVar("S", bound=OpenSearch)


class Studies(guest.Part):
    """The searches that are open in this process. Threads may share it."""

    rank = 1

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.trials: ByIdentity[Any] = ByIdentity()  # by Trial
        self.busy: ByIdentity[int] = ByIdentity()  # by Study: calls of `optimize` under way
        self._open: dict[tuple[object, ...], Any] = {}
        self._runs: ByIdentity[dict[Any, Any]] = ByIdentity()  # by storage and number of the study

    def of(self, study: Any) -> Any:
        """Return the open search of a study; None where it has none."""
        return self._open.get(key_of(study)) if self._open else None

    def opened(self, study: Any, make: Callable[[Any], S]) -> S:
        """Return the open search of a study, made now where it has none: with the run that the study had before."""
        with self.lock:
            key = key_of(study)
            found = self._open.get(key)
            if found is None:
                run, owned = (self._runs.get(storage_of(study)) or {}).get(number_of(study), (None, False))
                found = self._open[key] = make(run if owned or (run is not None and not run.ended) else None)
            return cast(S, found)

    def close(self, study: Any, search: OpenSearch) -> None:
        """Forget an open search, and note its run for the next one of the study."""
        with self.lock:
            self._open = {key: item for key, item in self._open.items() if item is not search}
            runs = self._runs.get(storage_of(study)) or {}
            if search.session:
                runs[number_of(study)] = search.session.run, search.session.owned
            self._runs.set(storage_of(study), runs)

    def forget_dropped(self, search: OpenSearch) -> None:
        """Forget the search of a study that nobody holds any more."""
        with self.lock:
            self._open = {key: item for key, item in self._open.items() if item is not search}

    def end(self) -> None:
        """Write what is known of studies that are asked and told until Python exits."""
        for search in list(self._open.values()):
            search.conclude_at_exit()


def studies() -> Studies:
    """Return the searches of this process."""
    return guest.part(Studies)
