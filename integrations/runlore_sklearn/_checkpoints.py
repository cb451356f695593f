"""Record the files that joblib and pickle write of a fitted model, and note those that they read models from."""

import io
import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions, Source
from runlore_sklearn._copies import MAX_KEPT_BYTES, copies
from runlore_sklearn._owners import owners

PLAIN_FILES = (io.BufferedWriter, io.BufferedReader, io.BufferedRandom, io.FileIO)
MAX_DEPTH = 4  # of dicts, lists and tuples around an estimator
MAX_ITEMS = 1_000  # of all of them together that are looked at


def record_dump(value: Any, target: Any) -> None:
    """Record the file that estimators were just written to, alone or inside dicts, lists and tuples."""
    if not owners() or guest.in_fit():
        return
    found = (_maker_of(item) for item in _items_in(value))
    runs = {run.id: run for run in found if run is not None}
    path = _path_of(target) if runs else None
    if path is not None and path.is_file():
        for run in runs.values():
            Additions(run).file(path.absolute(), kind="model", most=MAX_KEPT_BYTES)


def _maker_of(item: Any) -> Any:
    """Return the run that made an estimator, or the one that it is a copy of."""
    owner = owners().maker_of(item)
    copied = copies().maker_of(item) if owner is None else None
    return owner.session.run if owner is not None else copied.additions.run if copied is not None else None


def record_load(value: Any, source: Any) -> None:
    """Note the file that estimators were just read from, alone or inside dicts, lists and tuples."""
    if guest.in_fit():
        return
    found = [item for item in _items_in(value) if hasattr(type(item), "get_params") and hasattr(item, "score")]
    path = _path_of(source) if found else None
    read = None if path is None else Source.at(path)
    if read is not None:
        for item in found:
            owners().set_source(item, read)


def _items_in(value: Any) -> Iterator[Any]:
    """Yield a value, or what its dicts, lists and tuples hold, those nearest to it first."""
    level, room = [value], MAX_ITEMS
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for item in level:
            if type(item) not in (dict, list, tuple):
                yield item
            elif room > 0:
                items = item.values() if isinstance(item, dict) else item
                inner += islice(items, room)
                room = MAX_ITEMS - len(inner)
        level = inner


def _path_of(target: Any) -> Path | None:
    """Return the path behind a path or an open file; a plain file is flushed, so that all of it can be hashed."""
    if isinstance(target, tempfile._TemporaryFileWrapper):
        target = target.file
    if isinstance(target, PLAIN_FILES):
        target.flush()
        return _path_of_descriptor(target.fileno(), target.name)
    return Path(target) if isinstance(target, str | os.PathLike) else None  # others may compress, or be no file


def _path_of_descriptor(descriptor: int, name: Any) -> Path | None:
    """Return where an open file lies, in whatever folder the process works by now; None if that can't be known."""
    for candidate in (f"/proc/self/fd/{descriptor}", name):
        try:
            path = Path(candidate).resolve() if isinstance(candidate, str) else None
            if path is not None and os.path.samestat(path.stat(), os.fstat(descriptor)):
                return path
        except OSError:
            continue
    return None
