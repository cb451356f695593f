"""Choices of the page's user that are kept for a store: saved views, the theme, columns and the like, texts by name.

It lies beside the user's secret, in a file for each store that only this user can read, and not in the store: the names
of views are nobody else's business. Each start of the page has an address of its own, where the browser knows nothing.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runlore._proof import draft_private, make_private_folder, read_private, secret_place
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused

FOLDER = "pages"  # beside the secret
MAX_NAME = 200  # characters, as the name of an experiment is part of one
MAX_VALUE = 48 << 10  # characters of one setting
MAX_SETTINGS = 1000
MAX_BYTES = 4 << 20  # of the file


def settings(store: Store) -> dict[str, Any]:
    """Return what is kept for this user at a store."""
    place = _place(store)
    return {"settings": _read(place) if place else {}, "kept": place is not None}


def keep(store: Store, name: str, value: str | None) -> dict[str, Any]:
    """Keep a text under a name, in the place of an earlier one; None forgets it.

    Raises:
        Refused: it is too long, there are too many, or the file can't be written.
    """
    if not 0 < len(name) <= MAX_NAME or len(value or "") > MAX_VALUE:
        raise Refused(f"a setting has a name of 1 to {MAX_NAME} characters, and at most {MAX_VALUE:,}")
    place = _place(store)
    if place is None:
        raise Refused("there is no home folder that settings could be kept in")
    try:
        with _alone(place):
            _write(place, name, value)
    except OSError as error:
        raise Refused(f"settings can't be kept in {str(place.parent)!r}: {error.strerror}") from error
    return {"name": name}


def _place(store: Store) -> Path | None:
    """Return the file of a store; None for a user without a home."""
    secret = secret_place()
    where = hashlib.sha256(os.fsencode(store.root.resolve())).hexdigest()
    return secret.with_name(FOLDER) / f"{where[:32]}.json" if secret else None


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other pages from writing settings meanwhile, of this process and others."""
    make_private_folder(place.parent, os.geteuid())
    descriptor = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a disk without locks: the last one counts
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(place: Path, name: str, value: str | None) -> None:
    found = _read(place)
    found.pop(name, None)
    if value is not None:
        found[name] = value
    content = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
    if len(found) > MAX_SETTINGS or len(content) > MAX_BYTES:
        raise Refused(f"at most {MAX_SETTINGS:,} settings of {MAX_BYTES >> 20} MiB in all are kept")
    draft = draft_private(place, os.geteuid(), content)
    try:
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _read(place: Path) -> dict[str, str]:
    """Return what a file holds; nothing where it is no file of settings."""
    try:
        found = json.loads(read_private(place, os.geteuid(), MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


ENDPOINTS = [
    Endpoint("/api/settings", "What the page keeps for the server's user at this store: texts by name", settings),
    Endpoint(
        "/api/settings", "Keep a text of the page's, in the place of an earlier one of its name", keep,
        [
            Parameter("name", "text", "the name", required=True),
            Parameter("value", "text", "the text; none: it is forgotten"),
        ],
        "POST",
    ),
]  # fmt: skip
