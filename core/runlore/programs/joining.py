"""Let this Python belong to the program that `runlore run` has started: what it trains goes below that run.

Called by the `sitecustomize` in the folder `inside`, in each Python of such a program.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runlore._process import process
from runlore._startup import told_program
from runlore._warnings import report
from runlore.guest.files.named import Parsed, ParsedArguments, note_arguments
from runlore.log.folder import Folder
from runlore.plugins.autolog import autolog_by_setting
from runlore.recording.current import ProgramsRun
from runlore.recording.ending import cause, status_of
from runlore.recording.ranks import is_worker


def join(told: Sequence[str]) -> None:
    """Record frameworks in this process, below the program's run if there is one: those that `runlore run` has told.

    Never raises.
    """
    autolog_by_setting(default="1", told=told)


def take_settings(namespace: object, parser: Any) -> None:
    """Record what a program was called with as params of its run; called where its arguments have been parsed.

    Files that they name are told as they are opened. Functions are left out, which sub-commands name so. Never raises.
    """
    if is_worker():
        return
    try:
        run = process.part(ProgramsRun).get()
        if run is not None:
            parsed = Parsed(namespace, parser)
            note_arguments(parsed.values)
            if process.part(ParsedArguments).is_wanted:
                parsed.record(run)
    except Exception as error:  # the user's program calls us here
        report(f"the settings of this program are not recorded: {type(error).__name__}: {error}")


def tell_error() -> None:
    """Record what has ended this process, which is the program itself: called at exit. Never raises."""
    from runlore.recording.run import attach  # late: the imports of a program wait for this file

    try:
        told, error = told_program(), cause(getattr(sys, "last_value", None))
        if told is not None and error is not None:
            run = attach(Folder(Path(told[2])), told[0])
            run.run_log.end_for_owner(status_of(error), error)
            run.companions.end()
    except Exception as failure:  # Python is about to end
        report(f"what this process raised is not recorded: {type(failure).__name__}: {failure}")
