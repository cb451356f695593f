"""Modules whose files have changed while a run is open: what was loaded is no longer, or not yet, what lies there."""

import os
import struct
import sys
from collections.abc import Collection, Iterable

from runlore._warnings import without_warnings
from runlore.hookspecs import CapturedFile
from runlore.plugins.modules import Loaded

UNKNOWN = "what ran is not known, and the run can't be reproduced"


def outdated(modules: Iterable[Loaded]) -> list[CapturedFile]:
    """Return the modules that are still as they were before their files changed."""
    why = "its file has changed since it was loaded"
    return [_withheld(item, why) for item in modules if _is_as_loaded(item.path) is False]


def loaded_again(modules: Iterable[Loaded], since: float, *, by_itself: bool) -> list[CapturedFile]:
    """Return the modules that changed after `since`, seconds since 1970, and that were loaded anew.

    With `by_itself` IPython does that: it patches functions, too, of which no byte code tells.
    """
    why = "its file changed and was loaded again while the run was open"
    changed = [item for item in modules if _changed(item.path) > since]
    return [_withheld(item, why) for item in changed if by_itself or _is_as_loaded(item.path) is True]


def edited_late(modules: Iterable[Loaded], known: Collection[str], since: float) -> dict[str, CapturedFile]:
    """Return what to tell, by path, of modules imported behind `since` whose files have changed meanwhile.

    What ran is not what lies there now, or, of those whose paths are `known` from `since`, not what lay there then.
    """
    found = {}
    for item in modules:
        if _changed(item.path) <= since:
            continue
        is_as_loaded = _is_as_loaded(item.path)
        if item.path not in known and is_as_loaded is False:
            found[item.path] = _withheld(item, "its file has changed since it was imported")
        elif item.path in known and (is_as_loaded is not False or _time_as_loaded(item.path) > since):
            found[item.path] = _withheld(item, "its file changed while the run was open")
    return found


def _is_as_loaded(path: str) -> bool | None:
    """Return whether the byte code that Python kept when it loaded a source is of the text that lies there now.

    None where it keeps none: then nothing is known.
    """
    from importlib.util import MAGIC_NUMBER, cache_from_source  # IPython has loaded it, scripts have not
    from marshal import loads

    try:
        cached = cache_from_source(path)
        with open(cached, "rb") as file:  # noqa: PTH123
            kept = file.read()
        status = os.stat(path)  # noqa: PTH116
        told = struct.pack("<II", int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
        is_by_time = kept[:8] == MAGIC_NUMBER + bytes(4)
        if sys.dont_write_bytecode or not is_by_time or not os.access(os.path.dirname(cached), os.W_OK):  # noqa: PTH120
            return None
        if kept[8:16] == told:
            return True
        with without_warnings(), open(path, "rb") as file:  # noqa: PTH123
            return bool(loads(kept[16:]) == compile(file.read(), path, "exec", dont_inherit=True))
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, NotImplementedError):
        return None


def _time_as_loaded(path: str) -> float:
    """Return when a source had been written, in whole seconds, as Python kept it beside the byte code."""
    from importlib.util import cache_from_source

    with open(cache_from_source(path), "rb") as file:  # noqa: PTH123
        return float(struct.unpack("<I", file.read(12)[8:])[0])


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116
    except OSError:
        return 0.0


def _withheld(item: Loaded, why: str) -> CapturedFile:
    return CapturedFile(item.name, b"", "code", withheld=f"{why}: {UNKNOWN}")
