"""The state of a model, made of its events: which versions there are, what the aliases name, what was changed when."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from runlore.log.events import Event

What = Literal["version", "alias", "note", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a model: `what` it was, its event, and the ids of the versions that an alias named before and after.

    `ended` are aliases that ended with a version that was withdrawn.
    """

    what: What
    event: Event
    version: str | None
    before: str | None = None
    ended: tuple[str, ...] = ()


@dataclass(slots=True)
class History:
    """A model as its events tell it. Versions are named by their ids; `labels` has the numbers that people use.

    `names` has the aliases of each version, `lost` are those of versions whose events are not here. `last_order` is the
    place of the last event, also of one that changed nothing.
    """

    name: str = ""
    versions: dict[str, Event] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    last_order: int = 0

    @property
    def next_number(self) -> int:
        """The number of the next version."""
        return max((event["number"] for event in self.versions.values()), default=0) + 1

    @property
    def next_order(self) -> int:
        """The place behind all events so far; that of a new one is the time, where that is later."""
        return self.last_order + 1

    @property
    def live(self) -> list[str]:
        """The ids of the versions that were not withdrawn, oldest first."""
        return [version for version in self.versions if version not in self.withdrawn]

    def aliases_of(self, version: str) -> tuple[str, ...]:
        """Return the aliases that name a version."""
        return tuple(sorted(self.names.get(version, ())))

    def name_version(self, alias: str, version: str | None) -> str | None:
        """Let an alias name a version, or none; return the one that it named before."""
        before = self.aliases.pop(alias, None)
        if before is not None:
            self.names[before].discard(alias)
        if version is not None:
            self.aliases[alias] = version
            self.names.setdefault(version, set()).add(alias)
        return before

    def find(self, part: str) -> str | None:
        """Return the id of the version with a number or an alias; None where there is none."""
        if part in self.aliases:
            return self.aliases[part]
        return next((version for version, label in self.labels.items() if label == part), None)


def replay(events: Iterable[Event], store_id: str, damage: Iterable[str] = (), until: int | None = None) -> History:
    """Return what events make of a model, up to a time in µs since 1970.

    The order is `order`, then time, then what the events say: the same for every reader. Versions that claim one
    number get a letter behind it, but for the first one of this store (`store_id`): whatever is merged into it, its
    numbers stay.
    """
    known = sorted((event for event in events if event["type"] in STEPS), key=_place)
    found = History(damage=list(damage), last_order=max((event["order"] for event in known), default=0))
    found.labels = _labels([event for event in known if event["type"] == "version"], store_id)
    for event in known:
        if until is None or event["time"] <= until:
            found.name = event["model"]
            STEPS[event["type"]](found, event)
    found.labels = {version: found.labels[version] for version in found.versions}
    found.damage += [f"{alias!r} names a version whose file is not here" for alias in sorted(found.lost)]
    return found


def _place(event: Event) -> tuple[int, int, str, str]:
    return event["order"], event["time"], str(event.get("version")), str(event.get("alias"))


def _labels(events: list[Event], store_id: str) -> dict[str, str]:
    """Return the label of each version by its id."""
    labels: dict[str, str] = {}
    claims: dict[int, int] = {}
    for event in sorted(events, key=lambda event: event.get("store") != store_id):
        if event["version"] not in labels:
            number = event["number"]
            claims[number] = claims.get(number, 0) + 1
            labels[event["version"]] = f"{number}{_letters(claims[number] - 1)}"
    return labels


def _letters(place: int) -> str:
    """Return nothing for the first one, then b, c, … z, ba, bb, …"""
    text = ""
    while place:
        place, digit = divmod(place, 26)
        text = chr(ord("a") + digit) + text
    return text


def _add_version(found: History, event: Event) -> None:
    if event["version"] not in found.versions:  # else a file stands twice in the store, under two names
        found.versions[event["version"]] = event
        found.changes.append(Change("version", event, event["version"]))


def _set_alias(found: History, event: Event) -> None:
    alias, version = event["alias"], event.get("version")
    found.lost.discard(alias)
    is_lost = version is not None and version not in found.versions
    before = found.name_version(alias, None if is_lost else version)
    if is_lost:
        found.lost.add(alias)
        return
    found.withdrawn.discard(version)  # whoever names it needs it
    found.changes.append(Change("alias", event, version, before))


def _add_note(found: History, event: Event) -> None:
    found.changes.append(Change("note", event, event.get("version")))


def _withdraw(found: History, event: Event) -> None:
    version = event["version"]
    if version not in found.versions:
        return
    ended = found.aliases_of(version)
    for alias in ended:
        found.name_version(alias, None)
    found.withdrawn.add(version)
    found.changes.append(Change("withdrawn", event, version, ended=ended))


STEPS = {"version": _add_version, "alias": _set_alias, "note": _add_note, "withdrawn": _withdraw}
