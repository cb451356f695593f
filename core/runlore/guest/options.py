"""The options of the runs that an integration makes: the arguments that its callbacks have in common."""

import inspect
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from runlore.guest.request import FitRequest
from runlore.store.store import Store, open_store

PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Name, experiment and tags of the runs, and the store that they go to; None stands for the default."""

    name: str | None = None
    experiment: str | None = None
    tags: Mapping[str, Any] | None = None
    store: Store | None = None

    @classmethod
    def checked(
        cls,
        name: str | None = None,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        **more: Any,
    ) -> Self:
        """Return the options that a user gave to a callback; a store may be given by its path.

        Raises:
            TypeError: tags are no mapping.
            StoreRefused: the path holds something else.
        """
        if tags is not None and not isinstance(tags, Mapping):
            raise TypeError(f"tags is {tags!r}: write a mapping, such as {{'team': 'vision'}}")
        place = store if store is None or isinstance(store, Store) else open_store(store)
        return cls(None if name is None else str(name), experiment, tags, place, **more)

    def request(self, *, tags: Mapping[str, Any] | None = None, **more: Any) -> FitRequest:
        """Return a request with these options; `tags` are the integration's own, `more` further fields of it."""
        tags = {**(tags or {}), **(self.tags or {})}
        options = {"name": self.name, "experiment": self.experiment, "tags": tags, "store": self.store}
        return FitRequest(**{**options, **more})


def settings_of(items: Iterable[Any], *, but: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the settings of callbacks and the like, by class: arguments of the class kept as attributes of that name.

    A second object of a class gets a number. Only plain values count; names in `but` and runlore's own objects don't.
    """
    found: dict[str, dict[str, Any]] = {}
    seen: dict[str, int] = {}
    for item in items:
        cls = type(item)
        if cls.__module__.partition(".")[0].startswith("runlore"):
            continue
        own = getattr(item, "__dict__", {})
        held = {name.removeprefix("_"): value for name, value in own.items() if isinstance(value, PLAIN)}
        names = [name for name in inspect.signature(cls.__init__).parameters if name in held and name not in but]
        if names:
            number = seen[cls.__name__] = seen.get(cls.__name__, 0) + 1
            key = cls.__name__ if number == 1 else f"{cls.__name__}_{number - 1}"
            found[key] = {name: held[name] for name in names}
    return found
