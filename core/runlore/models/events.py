"""Events of models: the JSON objects of their logs, checked before anything in them is used.

docs/format.md says what the fields mean.
"""

from typing import Any

from runlore._ids import is_run_id
from runlore.log.events import (
    FLAG,
    HASH_TEXT,
    LINE,
    MEMBERS,
    NUMBER,
    RUNNABLE,
    TEXT,
    TEXTS,
    WHOLE,
    Event,
    Kind,
    check_event,
)
from runlore.log.frames import DecodeError
from runlore.models.names import is_alias, is_name

MAX_NUMBER = 999_999_999  # of a version
MAX_ORDER = 1 << 61
MAX_FILES = 100_000  # of the folder of a version

NAME = Kind("the name of a model", lambda value: type(value) is str and is_name(value), strict=True)
ALIAS = Kind("an alias", lambda value: type(value) is str and is_alias(value), strict=True)
RUN = Kind("the id of a run", lambda value: type(value) is str and is_run_id(value), strict=True)
VERSION = Kind("the id of a version", lambda value: type(value) is str and is_run_id(value))
NUMBER_OF = Kind(
    f"a number from 1 to {MAX_NUMBER:,}", lambda value: type(value) is int and 1 <= value <= MAX_NUMBER, strict=True
)
ORDER = Kind("a whole number from 0", lambda value: type(value) is int and 0 <= value <= MAX_ORDER, strict=True)

_COMMON = {"model": NAME, "order": ORDER, "user": LINE, "host": LINE, "reason": TEXT}
CONTENT: dict[str, Kind] = {  # what a version says of its file or folder
    **dict.fromkeys(("artifact", "kind", "file"), LINE),
    **dict.fromkeys(("size", "step"), WHOLE),
    **dict.fromkeys(("roles", "escaped_files"), TEXTS),
    "epoch": NUMBER,
    "sha256": HASH_TEXT,
    "files": MEMBERS,
    "executable": RUNNABLE,
    "escaped": FLAG,
}
SCHEMA: dict[str, dict[str, Kind]] = {
    "version": {**_COMMON, **CONTENT, "version": VERSION, "number": NUMBER_OF, "run": RUN, "store": LINE, "text": TEXT},
    "alias": {**_COMMON, "alias": ALIAS, "version": VERSION},
    "note": {**_COMMON, "version": VERSION, "text": TEXT},
    "withdrawn": {**_COMMON, "version": VERSION},
}
NEEDED: dict[str, tuple[str, ...]] = {
    "version": ("model", "order", "version", "number", "run", "artifact"),
    "alias": ("model", "order", "alias"),
    "note": ("model", "order", "text"),
    "withdrawn": ("model", "order", "version"),
}


def check_model_event(value: Any) -> Event:
    """Return a JSON value as an event of a model whose fields are as `SCHEMA` has them.

    Raises:
        DecodeError: a field is missing or of another kind.
    """
    event = check_event(value, SCHEMA, NEEDED)
    if event.get("left_out"):
        raise DecodeError(f"an event {event['type']!r} of a model has {event['left_out']!r} left out")
    if event["type"] == "version" and event.get("files") is not None and len(event["files"]) > MAX_FILES:
        raise DecodeError(f"a version has more than {MAX_FILES:,} files")
    return event
