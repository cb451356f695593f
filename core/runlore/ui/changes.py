"""What the page changes: tags, notes, pins, removals."""

from collections.abc import Mapping
from typing import Any

from runlore.maintenance.removal import PINNED, last_removal, remove, undo
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused

MOST = 1000  # runs of one change
TEXT = 10_000  # characters of a tag or a note


def set_tags(store: Store, run: str, tags: Mapping[str, Any]) -> dict[str, Any]:
    """Set tags; null takes one off."""
    for key, value in tags.items():
        if not key.strip() or not (value is None or isinstance(value, str)) or len(key) + len(value or "") > TEXT:
            raise Refused(f"{key!r} can't be a tag: keys and values are texts, and null takes one off")
    found = store.run(run)
    found.set_tags(tags)
    return {"tags": store.run(found.id).tags}


def add_note(store: Store, run: str, text: str) -> dict[str, Any]:
    """Add a note."""
    words = text.strip()
    if not words or len(words) > TEXT:
        raise Refused(f"a note has from 1 to {TEXT:,} characters")
    found = store.run(run)
    found.note(words)
    return {"notes": store.run(found.id).notes}


def pin(store: Store, runs: list[str], off: bool) -> dict[str, Any]:
    """Keep runs, or let them go again."""
    found = [store.run(part) for part in runs]
    for run in found:
        run.set_tags({PINNED: None if off else "yes"})
    return {"runs": [run.id for run in found]}


def remove_runs(store: Store, runs: list[str]) -> dict[str, Any]:
    """Remove runs and their children."""
    return {"removed": [run.id for run in remove(store, [store.run(part) for part in runs])]}


def undo_removal(store: Store, runs: list[str]) -> dict[str, Any]:
    """Bring back what the last removal took away, if these are the runs."""
    if runs and set(last_removal(store)) != set(runs):
        raise Refused("others were removed since: `Undo last removal` goes back one removal at a time")
    return {"back": undo(store)}


RUNS = Parameter("runs", "texts", "runs by id", required=True, most=MOST)
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
        [RUNS, Parameter("off", "flag", "let them go again", False)], "POST",
    ),
    Endpoint("/api/remove", "Remove runs and their children, as `runlore rm`", remove_runs, [RUNS], "POST"),
    Endpoint(
        "/api/undo", "Bring back what the last removal took away", undo_removal,
        [Parameter("runs", "texts", "refuse if these are not the runs", [], most=MOST)], "POST",
    ),
]  # fmt: skip
