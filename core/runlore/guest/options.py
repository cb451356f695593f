"""The options of the runs that an integration makes: the arguments that its callbacks have in common."""

import inspect
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from runlore._settings import setting
from runlore._warnings import valid_or
from runlore.guest.captured import PLAIN, defaults_of, marked
from runlore.guest.request import FitRequest
from runlore.guest.session import FitSession
from runlore.store.store import Store, open_store

MAX_ITEMS = 100  # of a list or dict that is a setting


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Name, experiment and tags of the runs, and the store that they go to; None stands for the default.

    They are `asked` for where a user gave them to a callback, maybe none of them.
    """

    name: str | None = None
    experiment: str | None = None
    tags: Mapping[str, Any] | None = None
    store: Store | None = None
    asked: bool = False

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
        return cls(None if name is None else str(name), experiment, tags, place, asked=True, **more)

    @classmethod
    def wanted(cls, callbacks: Iterable[Any], kind: type, *, autolog: bool) -> Self | None:
        """Return the options of our callbacks, of class `kind`, among those of a training; None if it is not recorded.

        With `autolog` a training without one is recorded, too, by default options.
        """
        ours = [item.options for item in callbacks if isinstance(item, kind)]  # type: ignore[attr-defined]
        if ours:
            options: Self = ours[0].completed_by(ours[1:])
            return options
        return cls() if autolog else None

    def completed_by(self, others: Iterable[Self]) -> Self:
        """Return these options, and where they say nothing what the first of the others says; tags of all count."""
        found = self
        for other in others:
            names = [item.name for item in fields(self)]
            given = {name: getattr(other, name) for name in names if getattr(found, name) in (None, False)}
            tags = {**(other.tags or {}), **(found.tags or {})}
            found = replace(found, **{**given, "tags": tags or None})
        return found

    def count_in(self, session: FitSession) -> None:
        """Let these count for the run of the same fit that another integration has begun, by no options."""
        session.record(self._tell)

    def _tell(self, session: FitSession) -> None:
        given = {name: value for name in ("name", "experiment") if (value := getattr(self, name)) is not None}
        if given and session.owned:
            session.run.run_log.event({"type": "edited", **given})
        if self.tags:
            session.run.set_tags(self.tags)

    def request(
        self, *, tags: Mapping[str, Any] | None = None, carried: Mapping[str, str | None] | None = None, **more: Any
    ) -> FitRequest:
        """Return a request with these options; `tags` are the integration's own, `more` further fields of it.

        `carried` are a "name" and an "experiment" that arguments of the framework carry: they count where the user gave
        none, and no setting names an experiment.
        """
        found = dict(carried or {})
        experiment = None if valid_or(None, setting, "experiment") else found.get("experiment")
        options = {
            "name": self.name or found.get("name"),
            "experiment": self.experiment or experiment,
            "tags": {**(tags or {}), **(self.tags or {})},
            "store": self.store,
            "asked": self.asked,
        }
        return FitRequest(**{**options, **more})


class TakesOptions:
    """A callback that is given the options of the runs that it makes. A framework's own class may stand behind it.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it.
    """

    options = RunOptions()  # of a subclass that does not call this `__init__`

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.options = RunOptions.checked(name, experiment, tags, store)


def settings_of(items: Iterable[Any], *, but: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the settings of callbacks and the like, by class: arguments of the class kept as attributes of that name.

    A second object of a class gets a number. Only plain values count, and a few of them in a list or a dict; names in
    `but` and runlore's own objects don't. Defaults are marked as captured.
    """
    found: dict[str, dict[str, Any]] = {}
    seen: dict[str, int] = {}
    for item in items:
        cls = type(item)
        if cls.__module__.partition(".")[0].startswith("runlore"):
            continue
        own = getattr(item, "__dict__", {})
        held = {name.removeprefix("_"): value for name, value in own.items() if _is_plain(value)}
        names = [name for name in inspect.signature(cls.__init__).parameters if name in held and name not in but]
        if names:
            number = seen[cls.__name__] = seen.get(cls.__name__, 0) + 1
            key = cls.__name__ if number == 1 else f"{cls.__name__}_{number - 1}"
            found[key] = marked({name: held[name] for name in names}, defaults_of(cls))
    return found


def _is_plain(value: Any) -> bool:
    if not isinstance(value, dict | list | tuple):
        return isinstance(value, PLAIN)
    items = [*value, *value.values()] if isinstance(value, dict) else value
    return 0 < len(items) <= MAX_ITEMS and all(isinstance(item, PLAIN) for item in items)
