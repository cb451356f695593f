"""Endpoints that change runs: names, experiments, descriptions, tags, notes, pins, the archive, removal and undo."""

from collections.abc import Mapping
from typing import Any

from runlore._text import as_time
from runlore.documents import note_document
from runlore.index.fields import SET
from runlore.index.parse import parse_time
from runlore.maintenance import editing
from runlore.maintenance.removal import PINNED, Pinned, last_removal, remove, undo
from runlore.store.details import Note
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused

MAX_RUNS = 1000  # of one change
MAX_CHARS = 10_000  # of a tag or a note
MAX_NAME_CHARS = 500  # of a run or an experiment


def edit(
    store: Store, run: str, name: str | None, experiment: str | None, description: str | None
) -> dict[str, Any]:  # fmt: skip
    """Rename a run, move it with its children to another experiment, describe it."""
    if name is None and experiment is None and description is None:
        raise Refused("nothing to change: name, experiment or description is needed")
    for what, text, most in (
        ("name", name, MAX_NAME_CHARS), ("experiment", experiment, MAX_NAME_CHARS),
        ("description", description, MAX_CHARS),
    ):  # fmt: skip
        if len(text or "") > most:
            raise Refused(f"the {what} has {len(text or ''):,} characters: at most {most:,} are taken")
    found = store.run(run)
    try:
        editing.edit(found, name=name, experiment=experiment, description=description)
    except ValueError as error:
        raise Refused(str(error)) from None
    now = store.run(found.id)
    return {"name": now.name, "experiment": now.experiment, "tags": now.tags}


def set_tags(store: Store, run: str, tags: Mapping[str, Any]) -> dict[str, Any]:
    """Set tags; a value of None takes a tag off."""
    for key, value in tags.items():
        if not key.strip() or not (value is None or isinstance(value, str)) or len(key) + len(value or "") > MAX_CHARS:
            raise Refused(f"{key!r} can't be a tag: keys and values are texts, and null takes one off")
    found = store.run(run)
    found.set_tags(tags)
    return {"tags": store.run(found.id).tags}


def add_note(store: Store, run: str, text: str | None, note: str | None) -> dict[str, Any]:
    """Add a note; or give one another text, or remove it where there is none."""
    words = None if text is None else text.strip()
    if (words is None and note is None) or not (words is None or 0 < len(words) <= MAX_CHARS):
        raise Refused(f"a note has from 1 to {MAX_CHARS:,} characters")
    found = store.run(run)
    if note is None:
        found.note(words or "")
    else:
        moment = parse_time(note)
        if moment is None:
            raise Refused(f"note is {note!r}: write the time of the note that is to be changed")
        found.edit_note(Note("", as_time(moment), None), words)
    return {"notes": [note_document(note) for note in store.run(found.id).notes]}


def pin(store: Store, runs: list[str], off: bool) -> dict[str, Any]:
    """Pin runs, or unpin them where `off` is true."""
    found = [store.run(part) for part in runs]
    for run in found:
        run.set_tags({PINNED: None if off else SET})
    return {"runs": [run.id for run in found]}


def archive(store: Store, runs: list[str], off: bool) -> dict[str, Any]:
    """Archive runs and their children, or no longer where `off` is true."""
    return {"runs": [run.id for run in editing.archive([store.run(part) for part in runs], off=off)]}


def remove_runs(store: Store, runs: list[str]) -> dict[str, Any]:
    """Remove runs and their children."""
    try:
        return {"removed": [run.id for run in remove(store, [store.run(part) for part in runs])]}
    except Pinned as error:
        raise Refused(str(error), pinned=[{"id": run.id, "name": run.name} for run in error.runs]) from None


def undo_removal(store: Store, runs: list[str]) -> dict[str, Any]:
    """Undo the last removal, if it removed these runs (any, where none are given)."""
    if runs and set(last_removal(store)) != set(runs):
        raise Refused("others were removed since: `Undo last removal` goes back one removal at a time")
    return {"back": undo(store)}


RUNS = Parameter("runs", "texts", "runs by id", required=True, most=MAX_RUNS)
ENDPOINTS = [
    Endpoint(
        "/api/runs/{run}/edit", "Rename a run, move it with its children, describe it; what is not given stays", edit,
        [
            Parameter("name", "text", "another name"),
            Parameter("experiment", "text", "the experiment to move it to"),
            Parameter("description", "text", "a text about it; an empty one takes it off"),
        ],
        "POST",
    ),
    Endpoint(
        "/api/runs/{run}/tags", "Set tags; null takes one off", set_tags,
        [Parameter("tags", "object", "texts by key", required=True)], "POST",
    ),
    Endpoint(
        "/api/runs/{run}/notes", "Add a note, or change one; time and the name of the server's user are kept", add_note,
        [
            Parameter("text", "text", "the note; one that is changed is removed without it"),
            Parameter("note", "text", "the time of the note to change; none: a new one"),
        ],
        "POST",
    ),
    Endpoint(
        "/api/pin", "Keep runs from `rm` and `gc`", pin,
        [RUNS, Parameter("off", "flag", "unpin them", False)], "POST",
    ),
    Endpoint(
        "/api/archive", "Leave runs and their children out of tables, as `runlore archive`", archive,
        [RUNS, Parameter("off", "flag", "archive them no longer", False)], "POST",
    ),
    Endpoint("/api/remove", "Remove runs and their children, as `runlore rm`", remove_runs, [RUNS], "POST"),
    Endpoint(
        "/api/undo", "Bring back what the last removal took away", undo_removal,
        [Parameter("runs", "texts", "the runs to bring back; refused if it took others", [], most=MAX_RUNS)], "POST",
    ),
]  # fmt: skip
