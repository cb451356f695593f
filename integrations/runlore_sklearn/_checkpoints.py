"""Keep the fitted model with its run, and record the files that joblib.dump and pickle.dump write of it."""

import io
import os
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore_sklearn._owners import Owner, owners

MAX_KEPT_BYTES = 100 << 20  # of a fitted model
PLAIN_FILES = (io.BufferedWriter, io.BufferedRandom, io.FileIO)
MAX_DEPTH = 4  # of dicts, lists and tuples around an estimator
MAX_ITEMS = 1_000  # of one of them that are looked at


def pickled(session: FitSession, estimator: Any) -> bytes | None:
    """Return the pickle of a fitted estimator; None if it is too large or can't be made, which the run then tells."""
    buffer = _Bounded()
    try:
        pickle.Pickler(buffer, protocol=5).dump(estimator)
    except _TooLarge:
        session.missing("the fitted model", f"larger than {MAX_KEPT_BYTES >> 20} MiB when pickled")
    except Exception as error:  # an estimator's own pickling may raise anything
        session.missing("the fitted model", f"it can't be pickled: {type(error).__name__}: {error}")
    else:
        return buffer.getvalue()
    return None


def record_dump(value: Any, target: Any) -> None:
    """Record the file that estimators were just written to, alone or inside dicts, lists and tuples."""
    if not owners() or guest.in_fit():
        return
    runs = {owner.session.run.id: owner.session.run for owner in _owners_in(value, MAX_DEPTH)}
    path = _path_of(target) if runs else None
    if path is not None and path.is_file():
        for run in runs.values():
            Additions(run).file(path.absolute(), kind="model", most=MAX_KEPT_BYTES)


def _owners_in(value: Any, depth: int) -> Iterator[Owner]:
    owner = owners().of(value)
    if owner is not None:
        yield owner
    elif depth and type(value) in (dict, list, tuple):
        items = list(value.values() if isinstance(value, dict) else value[:MAX_ITEMS])[:MAX_ITEMS]
        for item in items:
            yield from _owners_in(item, depth - 1)


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


class _TooLarge(Exception):
    pass


class _Bounded(io.BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + memoryview(data).nbytes > MAX_KEPT_BYTES:
            raise _TooLarge
        return super().write(data)
