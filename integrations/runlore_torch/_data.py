"""The data loaders that a thread iterates: which of them trains, and how often it was begun."""

import weakref
from typing import Any


class Loaders:
    """Counts the iterations of loaders in one thread. The one that steps are made in trains; others evaluate."""

    def __init__(self) -> None:
        self._latest: Any = None  # a weak reference to the iterator that was begun last
        self._counted: Any = None  # to the one whose epoch was counted last
        self._loader: Any = None  # returns that of the latest, until it is known whether it trains: it may end then
        self._training: Any = None  # a weak reference to the loader that trains
        self.epoch: int | None = None  # of the training, from 0
        self.is_due = False  # True where the next step may be the first one of an epoch: it has to call `stepped`

    def begun(self, loader: Any, iterator: Any) -> None:
        """Note that a loader is iterated."""
        try:
            self._latest = weakref.ref(iterator, self._let_go)
        except TypeError:  # an iterator of somebody's own
            return
        self.is_due = True
        if self.epoch is None:
            holds_iterator = getattr(loader, "persistent_workers", False)  # whose workers live as long as it does
            self._loader = weakref.ref(loader) if holds_iterator else lambda: loader
        if self._training is not None and self._training() is loader:
            self._counted = None  # also where the iterator is the same, as with workers that persist

    def _let_go(self, iterator: Any) -> None:
        if iterator is self._latest:
            self._loader = None  # nobody has made a step while it was iterated
        if iterator is self._counted:
            self.is_due = True  # the latest may be another one

    def stepped(self) -> Any:
        """Count an epoch at its first step; return the loader that trains when that shows, else None."""
        self.is_due = False
        if self._counted is not None and self._counted() is not None:
            return None  # in the midst of an epoch: whatever is iterated meanwhile evaluates
        if self._latest is None or self._latest() is None:
            return None
        find, self._loader = self._loader, None
        loader = None if find is None else find()
        if loader is not None:
            self._training = weakref.ref(loader)
        self._counted = self._latest
        self.epoch = 0 if self.epoch is None else self.epoch + 1
        return loader
