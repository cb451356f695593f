"""Files that a script has saved and then copies or renames: the copy is saved, too, and what was renamed lies there."""

import os
import shutil
from collections.abc import Mapping
from typing import Any

from runlore.guest.files.watch import moved
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import Note, argument


def follow(wrappers: Wrappers) -> None:
    """Follow what renames and copies, whoever calls it: `Path.replace` calls `os.replace`."""
    for name in ("rename", "replace"):
        wrappers.follow(os, name, _moves(is_copy=False), by_all=True)
    for name in ("copyfile", "copy", "copy2", "move"):
        wrappers.follow(shutil, name, _moves(is_copy=name != "move"), by_all=True)


def _moves(*, is_copy: bool) -> Note:
    def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
        target = argument(args, kwargs, 1, "dst")
        moved(argument(args, kwargs, 0, "src"), target if result is None else result, is_copy=is_copy)

    return note
