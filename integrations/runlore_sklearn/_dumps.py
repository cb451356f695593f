"""What joblib.dump and pickle.dump write of a fitted estimator is recorded as a file of its run."""

import io
from pathlib import Path
from typing import Any

from runlore import FitSession
from runlore_sklearn import _tracking
from runlore_sklearn._fit import MODEL_BYTES

PLAIN_FILES = (io.BufferedWriter, io.BufferedRandom, io.FileIO)


def record_dump(value: Any, target: Any) -> None:
    """Record the file that a tracked estimator was just written to; one inside a dict or list counts too."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    tracked = next(filter(None, map(_tracking.find, parts)), None)
    if tracked is None or FitSession.in_fit():
        return
    path = _path_of(target)
    if path is not None and path.is_file():
        FitSession.add_file(tracked.run, path.absolute(), kind="model", most=MODEL_BYTES)


def _path_of(target: Any) -> Path | None:
    """The file behind a path or an open file. A plain one is flushed, so that all of it is there to be hashed."""
    if isinstance(target, PLAIN_FILES):
        if not isinstance(target.name, str):
            return None
        target.flush()
        return Path(target.name)
    try:
        return Path(target)
    except TypeError:  # a buffer, or a file that compresses: what it comes to is known only once it is closed
        return None
