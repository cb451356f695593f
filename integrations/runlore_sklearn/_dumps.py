"""What joblib.dump and pickle.dump write of a fitted estimator is recorded as a file of its run."""

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions
from runlore_sklearn import _tracking
from runlore_sklearn._fit import MODEL_BYTES

PLAIN_FILES = (io.BufferedWriter, io.BufferedRandom, io.FileIO)
DEPTH = 4  # of dicts, lists and tuples around an estimator
MOST = 1_000  # items of one of them that are looked at


def record_dump(value: Any, target: Any) -> None:
    """Record the file that tracked estimators were just written to, alone or inside dicts, lists and tuples."""
    if _tracking.nothing() or guest.in_fit():
        return
    runs = {tracked.run.id: tracked.run for tracked in _tracked_in(value, DEPTH)}
    path = _path_of(target) if runs else None
    if path is not None and path.is_file():
        for run in runs.values():
            Additions(run).file(path.absolute(), kind="model", most=MODEL_BYTES)


def _tracked_in(value: Any, depth: int) -> Iterator[_tracking.Tracked]:
    tracked = _tracking.find(value)
    if tracked is not None:
        yield tracked
    elif depth and type(value) in (dict, list, tuple):
        items = list(value.values() if isinstance(value, dict) else value[:MOST])[:MOST]
        for item in items:
            yield from _tracked_in(item, depth - 1)


def _path_of(target: Any) -> Path | None:
    """The file behind a path or an open file. A plain one is flushed, so that all of it is there to be hashed."""
    if isinstance(target, tempfile._TemporaryFileWrapper):
        target = target.file
    if isinstance(target, PLAIN_FILES):
        target.flush()
        return _path_of_descriptor(target.fileno(), target.name)
    return Path(target) if isinstance(target, str | os.PathLike) else None  # others may compress, or be no file


def _path_of_descriptor(descriptor: int, name: Any) -> Path | None:
    """Where an open file lies, wherever the process works by now; None where that can't be known."""
    for candidate in (f"/proc/self/fd/{descriptor}", name):
        try:
            path = Path(candidate).resolve() if isinstance(candidate, str) else None
            if path is not None and os.path.samestat(path.stat(), os.fstat(descriptor)):
                return path
        except OSError:
            continue
    return None
