"""Know which run the weights of a trainer and of a module are of, behind the fit that made them."""

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from runlore import FitSession, guest
from runlore.guest.additions import Sets

StepsByPath = dict[str, tuple[int, int]]  # step and epoch of each checkpoint, by its absolute path


@dataclass(eq=False, slots=True)
class Owner:
    """A recorded fit as it is known after its end: its run, its checkpoints, the sets of data that it was tested on."""

    session: FitSession
    steps: StepsByPath = field(default_factory=dict)
    sets: Sets = field(default_factory=Sets)


class Owners(guest.Part):
    """The last recorded fit of trainers and of modules, as long as these live."""

    inherited = True

    def __init__(self) -> None:
        self._owners: WeakKeyDictionary[Any, Owner] = WeakKeyDictionary()

    def of(self, item: Any) -> Owner | None:
        """Return the last recorded fit of a trainer or of a module; None where there was none."""
        return self._owners.get(item)

    def set(self, owner: Owner, *items: Any) -> None:
        """Note whose weights a fit makes."""
        for item in items:
            self._owners[item] = owner


def owners() -> Owners:
    """Return those of this process."""
    return guest.part(Owners)
