"""The changes of models that people and trainings make, as events."""

import time
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Protocol

from runlore import _ids
from runlore._startup import host_name, user_name
from runlore._text import as_text
from runlore._warnings import report
from runlore.errors import RunloreError
from runlore.log.events import Event
from runlore.log.folder import Folder
from runlore.models.events import CONTENT, MAX_NUMBER, MAX_ORDER
from runlore.models.history import History, replay
from runlore.models.journal import Journal, append
from runlore.models.names import check_alias, check_name
from runlore.plugins.manager import plugins


class Kept(Protocol):
    """The log of a run that has kept an artifact."""

    id: str

    @property
    def folder(self) -> Folder:
        """The store's folder."""

    def missing(self, what: str, why: str) -> None:
        """Note that something could not be recorded."""


def change(folder: Folder, model: str, make: Callable[[History], list[Event]], reason: str = "") -> list[Event]:
    """Write events of a model; `make` is given the model as it is, and returns their fields.

    Raises:
        NameRefused: no model may have this name.
        OSError: the store can't be written.
    """
    check_name(model)

    def whole(journal: Journal) -> list[Event]:
        known = replay(journal.events, folder.store_id)
        now = time.time_ns() // 1000
        order = min(max(now, known.next_order), MAX_ORDER)
        told = {"user": user_name(), "host": host_name()} | ({"reason": masked(reason)} if reason else {})
        return [
            {
                "type": event["type"],
                "time": now,
                "order": min(order + place, MAX_ORDER),
                "model": model,
                **event,
                **told,
            }
            for place, event in enumerate(make(known))
        ]

    return append(folder, model, whole)


def add_version(
    folder: Folder, model: str, run: str, content: Event, *, aliases: Sequence[str] = (), note: str = "",
    reason: str = "",
) -> str:  # fmt: skip
    """Add a version: an artifact of a run, whose `content` has fields of `CONTENT`; return its id.

    The same content of the same run is not added twice, but may get aliases.

    Raises:
        NameRefused: the model or an alias can't have this name.
        OSError: the store can't be written.
    """
    for alias in aliases:
        check_alias(alias)
    fields = {key: content[key] for key in CONTENT if content.get(key) is not None}
    version = _ids.new_run_id(time.time_ns() // 1000)

    def make(known: History) -> list[Event]:
        nonlocal version
        same = _same(known, run, fields)
        events: list[Event] = []
        if same is not None:
            version = same
            events += [{"type": "note", "version": version, "text": masked(note)}] if note else []
        else:
            number = min(known.next_number, MAX_NUMBER)
            told = {"number": number, "run": run, "store": folder.store_id} | ({"text": masked(note)} if note else {})
            events.append({"type": "version", "version": version, **told, **fields})
        moved = [alias for alias in aliases if known.aliases.get(alias) != version]
        return events + [{"type": "alias", "alias": alias, "version": version} for alias in moved]

    change(folder, model, make, reason)
    return version


def _same(known: History, run: str, fields: Event) -> str | None:
    """Return the version that is this content of this run already."""
    wanted = [fields.get(key) for key in ("artifact", "step", "sha256")]
    return next(
        (
            version
            for version in known.live
            if known.versions[version]["run"] == run
            and [known.versions[version].get(key) for key in ("artifact", "step", "sha256")] == wanted
        ),
        None,
    )


def content_of(event: Event) -> Event:
    """Return what a version says of an artifact from the artifact's own event."""
    path = event.get("path")
    known = {"artifact": event["name"], "file": PurePath(path).name if path else None}
    return known | {key: event[key] for key in CONTENT if key in event}


def add_recorded(log: Kept, target: str, event: Event) -> None:
    """Add an artifact that a run has just recorded to a model: `target` is its name, or "digits@candidate".

    Never raises: what is wrong is reported, and named in the run.
    """
    name, _, alias = as_text(target).partition("@")
    why = "" if event.get("stored") or event.get("pending") else f"its content was not kept: {event.get('why')}"
    try:
        if not why:
            add_version(log.folder, name, log.id, content_of(event), aliases=[alias] if alias else [])
    except (OSError, RunloreError) as error:
        why = str(error) if isinstance(error, RunloreError) else error.strerror or str(error)
    if why:
        report(f"artifact {event['name']!r} was not added to model {name[:100]!r}: {why}")
        log.missing(f"version of model {name[:100]!r}", why)


def masked(text: str) -> str:
    """Return a text of the user's as it may be kept: rewriters see it as the text of a note."""
    return str(dict(plugins().rewrite_event({"type": "note", "text": as_text(text)})).get("text") or "")
