"""Endpoints that change runs: tags, notes, pins, removal and undo."""

from collections.abc import Mapping
from typing import Any

from runlore.maintenance.removal import PINNED, last_removal, remove, undo
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused

MAX_RUNS = 1000  # of one change
MAX_CHARS = 10_000  # of a tag or a note


def set_tags(store: Store, run: str, tags: Mapping[str, Any]) -> dict[str, Any]:
    """Set tags; a value of None takes a tag off."""
    for key, value in tags.items():
        if not key.strip() or not (value is None or isinstance(value, str)) or len(key) + len(value or "") > MAX_CHARS:
            raise Refused(f"{key!r} can't be a tag: keys and values are texts, and null takes one off")
    found = store.run(run)
    found.set_tags(tags)
    return {"tags": store.run(found.id).tags}


def add_note(store: Store, run: str, text: str) -> dict[str, Any]:
    """Add a note."""
    words = text.strip()
    if not words or len(words) > MAX_CHARS:
        raise Refused(f"a note has from 1 to {MAX_CHARS:,} characters")
    found = store.run(run)
    found.note(words)
    return {"notes": store.run(found.id).notes}


def pin(store: Store, runs: list[str], off: bool) -> dict[str, Any]:
    """Pin runs, or unpin them where `off` is true."""
    found = [store.run(part) for part in runs]
    for run in found:
        run.set_tags({PINNED: None if off else "yes"})
    return {"runs": [run.id for run in found]}


def remove_runs(store: Store, runs: list[str]) -> dict[str, Any]:
    """Remove runs and their children."""
    return {"removed": [run.id for run in remove(store, [store.run(part) for part in runs])]}


def undo_removal(store: Store, runs: list[str]) -> dict[str, Any]:
    """Undo the last removal, if it removed these runs (any, where none are given)."""
    if runs and set(last_removal(store)) != set(runs):
        raise Refused("others were removed since: `Undo last removal` goes back one removal at a time")
    return {"back": undo(store)}


RUNS = Parameter("runs", "texts", "runs by id", required=True, most=MAX_RUNS)
ENDPOINTS = [
    Endpoint(
        "/api/runs/{run}/tags", "Set tags; null takes one off", set_tags,
        [Parameter("tags", "object", "texts by key", required=True)], "POST",
    ),
    Endpoint(
        "/api/runs/{run}/notes", "Add a note", add_note,
        [Parameter("text", "text", "the note", required=True)], "POST",
    ),
    Endpoint(
        "/api/pin", "Keep runs from `rm` and `gc`", pin,
        [RUNS, Parameter("off", "flag", "unpin them", False)], "POST",
    ),
    Endpoint("/api/remove", "Remove runs and their children, as `runlore rm`", remove_runs, [RUNS], "POST"),
    Endpoint(
        "/api/undo", "Bring back what the last removal took away", undo_removal,
        [Parameter("runs", "texts", "the runs to bring back; refused if it took others", [], most=MAX_RUNS)], "POST",
    ),
]  # fmt: skip
