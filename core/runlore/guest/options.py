"""What users say of the runs that an integration makes for them: the arguments that its callbacks have in common."""

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
    """Name, experiment and tags of the runs, and the store that they go to; None stands for the usual."""

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
        """What was given to a callback; a store may be named by its path.

        Raises:
            TypeError: tags are no mapping.
            StoreRefused: there is something else at the path.
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
    """How callbacks and the like were set: the arguments of their class that they keep under the same name.

    By class, a second one of the same class numbered. Only plain values, none of those in `but`, nothing of runlore's.
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
