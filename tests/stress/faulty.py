"""One training under each of some faults, in this process: `faulty.py TRAINING FAULTS`, with the shim loaded.

Prints a line of JSON for each fault: what differs from the training without runlore, and what became of the record.
"""

import ctypes
import errno
import json
import os
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.stress.trainings import train

CALLS = {"write": 1, "open": 2, "rename": 4, "fsync": 8, "flock": 16, "remove": 32, "pwrite": 64}
ALWAYS, EVERY_SECOND, SHORT = 0, 1, 2


class Shim:
    """The library that is loaded before the C library."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.faults.restype = ctypes.c_long

    def begin(self, fault: str, folder: Path) -> None:
        """Let calls fail below a folder: `EIO write`, `short write`, `ENOSPC write+open`, `EINTR write`."""
        name, _, calls = fault.partition(" ")
        manner = SHORT if name == "short" else EVERY_SECOND if name == "EINTR" else ALWAYS
        chosen = sum(CALLS[call] for call in calls.split("+"))
        self._library.fault(chosen, getattr(errno, name, 0), manner, os.fsencode(folder))

    def end(self) -> int:
        """Let them succeed again, and return how many have failed."""
        failed = int(self._library.faults())
        self._library.fault(0, 0, 0, b"")
        return failed


def descriptors() -> dict[str, str]:
    """The files that this process has open."""
    found = {}
    for item in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found[item] = str(Path("/proc/self/fd", item).readlink())
    return found


def outcome(name: str, told: Any, recorded: bool) -> bytes:
    """The result of a training, or its error."""
    try:
        return train(name, told, recorded)
    except Exception as error:
        return repr(error).encode()


def attempt(name: str, fault: str, at: int, store: Path, bare: bytes, shim: Shim) -> dict[str, Any]:
    """Train with a fault from the epoch `at` on, or from before the beginning (-1), and look at all that is left."""
    import runlore

    os.environ["RUNLORE_STORE"] = str(store)

    def told(epoch: int) -> None:
        if epoch == at and fault != "none":
            shim.begin(fault, store)

    before = descriptors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        told(-1)
        result = outcome(name, told, recorded=True)
        failed = shim.end()
    said = [str(item.message) for item in caught if isinstance(item.message, runlore.RunloreWarning)]
    left = [place for number, place in descriptors().items() if number not in before and str(store) in place]
    logs = [place for place in left if place.endswith(".log")]
    runs = runlore.open_store(store).runs(sort="id")
    return {
        "fault": fault,
        "at": at,
        "same": result == bare,
        "failed": failed,
        "logs": logs,
        "said": said,
        "runs": [[run.status, run.damaged_bytes, points(run), told_of(run)] for run in runs],
        "threads": [thread.name for thread in threading.enumerate() if "runlore" in thread.name],
    }


def points(run: Any) -> int:
    """How many points of a run can be read."""
    return sum(len(series.values) for key, series in run.metrics.items() if not key.startswith("system"))


def told_of(run: Any) -> int:
    """How many losses the record names itself."""
    return len(run.missing)


def main(name: str, asked: str, folder: str) -> None:
    warnings.simplefilter("ignore")
    shim = Shim()
    for _ in range(2):  # the second time, nothing is imported any more
        bare = outcome(name, lambda epoch: None, recorded=False)
    for place, (fault, at) in enumerate(json.loads(asked)):
        found = attempt(name, fault, at, Path(folder, f"store-{place}"), bare, shim)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
