"""What users say of the runs that an integration makes for them: the arguments that its callbacks have in common."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from runlore.store import Store, open_store


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

    def of_run(self, **labels: str) -> dict[str, Any]:
        """The arguments of `FitSession.begin`; `labels` are tags of the integration's own."""
        tags = {**labels, **(self.tags or {})}
        return {"name": self.name, "experiment": self.experiment, "tags": tags, "store": self.store}
