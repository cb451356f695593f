"""The files of a store, as tests of garbage and of rules need them."""

import os
import time
from pathlib import Path

from runlore import Store


def age(root: Path) -> None:
    """Make every file a day old."""
    for path in root.rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2)


def blobs(store: Store) -> set[str]:
    """Return the names of all stored contents."""
    return {path.name for path in (store.root / "blobs").rglob("*") if path.is_file()}
