"""The doors to the process.

`part` for what an integration keeps there, `once_imported` for its framework's import, `open_run` for the current run.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from runlore._inside import state_of
from runlore._process import Part, process
from runlore.plugins.entry_points import is_loading
from runlore.recording.current import current_run, is_any_open
from runlore.recording.ranks import is_worker

if TYPE_CHECKING:
    from runlore.recording.run import Run

__all__ = ["Part", "file_state", "once_imported", "open_run", "part"]

part = process.part


def file_state(path: "str | os.PathLike[str]") -> tuple[int, ...] | None:
    """Return what differs once a file was written again: device, inode, size and time; None where there is none.

    A new link to the file changes none of them. Compare all: two writes within 4 ms may have one time.
    """
    try:
        return state_of(os.stat(path))[:-1]  # noqa: PTH116
    except (OSError, ValueError):
        return None


def once_imported(module: str, action: Callable[[], None]) -> None:
    """Call `action` once a framework is imported, or now where it is; not for a package that a plugin's code lies in.

    For the package of an integration, which calls it when it is imported: by its user, not for its entry point.
    """
    if not is_loading():
        from runlore.plugins import autolog  # late: every first run loads this file, few need that one

        autolog.once_imported(module, action)


def open_run() -> "Run | None":
    """Return the current run, under `runlore run` at least that of the program; None without one, and in workers."""
    return None if not is_any_open() or is_worker() else current_run()
