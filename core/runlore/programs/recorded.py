"""Record a program that `runlore run` starts: its run, its output, its end, and what the Pythons in it are told."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runlore._inside import drop, read_bytes
from runlore._settings import NAMES, setting
from runlore._startup import JOINING, LENT, PROGRAM, SEEDED, TOLD, WATCHED, told_program
from runlore._warnings import report
from runlore.errors import RunloreError
from runlore.plugins.autolog import told_modules, wanted_by_setting
from runlore.plugins.entry_points import places
from runlore.plugins.manager import plugins
from runlore.programs.kept_output import Recorder
from runlore.programs.relay import Relay
from runlore.programs.supervising import Outcome, become, hold_signals, supervise
from runlore.programs.told import Told, stand_for
from runlore.programs.unheard import Unheard
from runlore.recording.captures import section_event
from runlore.recording.companions import MAX_AGAIN_BYTES
from runlore.recording.ending import Status
from runlore.recording.output import ARTIFACT_NAME, MAX_BYTES
from runlore.recording.run import Run, unrecorded
from runlore.recording.starting import RECORDED_BY, Command, StartRequest, start
from runlore.store.store import open_store

if TYPE_CHECKING:
    from runlore.programs.printed import Forms

SEEDING = "runlore_capture_seeds"
INTERRUPTING = {"SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"}


class ProgramFailed(Exception):
    """Stands for the end of a program that no exception tells."""

    __module__ = "builtins"  # so that the record names it without the place of it


def start_program(
    store: str | None,
    *,
    name: str | None,
    experiment: str | None,
    tags: Mapping[str, str] | None,
    called: Sequence[str],
) -> Run:
    """Start the run of a program; `called` is what stands behind `runlore run`. One within another is its child.

    Where the default store can't be used, this is reported, and the run records nothing.

    Raises:
        StoreRefused, BackendNotFound, FormatError: `store` names what is no store for runs.
    """
    outer = told_program()
    try:
        opened = open_store(store)
        parent = outer[0] if outer is not None and outer[2] == str(opened.root) else None
        request = StartRequest(name=name, experiment=experiment, tags=tags, parent=parent, command=_command_of(called))
        return start(opened.folder, request)
    except (OSError, RunloreError) as error:
        if store is not None and isinstance(error, RunloreError):
            raise
        return unrecorded(name, error)


def _command_of(called: Sequence[str]) -> Command:
    module = ["-m"] if called[0] == "-m" else []
    argv = list(called[len(module) :])
    path = Path(argv[0]).absolute()
    script = str(path) if not module and path.is_file() else None
    return Command(argv=argv, program=[*RECORDED_BY, *module, argv[0]], script=script)


def record(words: Sequence[str], opened: Callable[[], Run], forms: "Forms | None" = None) -> Outcome:
    """Run a program to its end, and record it in the run that `opened` returns, which is ended. `words` are executed.

    Numbers that it prints in some `forms` become metrics.

    Raises:
        OSError: it can't be started; its run has failed then.
    """
    plugins().implementing("runlore_rewrite_file")  # loads our own before there are two processes
    mask = hold_signals()
    try:
        relay = Relay(partial(Recorder, forms=forms))
    except OSError as error:  # no descriptors or processes are left: the program may need none
        report(f"nothing of this program is recorded: {error.strerror or error}")
        become(words, mask)
    run = opened()
    is_recorded = run.run_log.writer is not None
    if run.run_log.writer is not None:
        place = (str(run.run_log.writer.path.with_suffix(".out")), str(run.folder.root), run.id)
        relay.record_into(b"\0".join(map(os.fsencode, place)))
    told = _told(run, words) if is_recorded else None
    environment = _environment(run, told) if is_recorded else os.environ
    unheard = Unheard()
    try:
        if is_recorded:
            run.companions.capture()  # as the program starts: it may be killed, and its code may be changed meanwhile
        outcome = supervise(words, environment, relay, mask, unheard)
    except OSError as error:
        run.finish("failed", error)
        raise
    if is_recorded:
        for called, why in unheard.found.items():
            run.run_log.missing(f"what {called} does", why)
            report(f"what {called} does is not recorded: {why}")
        _finish(run, outcome, relay, told)
    return outcome


def _told(run: Run, words: Sequence[str]) -> Told | None:
    """Begin to hear what the Pythons of the program tell of themselves."""
    stand_for(words)
    try:
        return Told(run)
    except OSError as error:
        run.log_missing("code that the program imports", error.strerror or str(error))
        return None


def _environment(run: Run, told: Told | None) -> dict[str, str]:
    """Return the environment of the program, in which Pythons know what run they belong to."""
    found = dict(os.environ)
    if told is not None:
        found[TOLD] = str(told.path)
    found[PROGRAM] = f"{run.id} {os.getpid()} {run.folder.root}"
    found[NAMES["store"]] = str(run.folder.root)
    if setting("autolog") is None:
        found[NAMES["autolog"]] = os.environ[NAMES["autolog"]] = "1"
    found[WATCHED] = told_modules(wanted_by_setting())
    if told is not None:
        known = {name for name, told in plugins().declared.items() if SEEDING in told}
        known.update(plugins().implementing(SEEDING))  # those that had to be loaded
        found[SEEDED] = ",".join(item.value for item in plugins().points if item.name in known)
    found[LENT] = os.pathsep.join(_lent())
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (JOINING, found.get("PYTHONPATH"))))
    return found


def _lent() -> list[str]:
    """Return the packages that a Python without runlore borrows, as name=folder, and behind = what tells of plugins."""
    folders = {"runlore": Path(str(sys.modules["runlore"].__file__)).parents[1]}
    for item in plugins().points:
        name = item.value.partition(".")[0]
        if item.distribution == "runlore" and name not in folders and item.folder is not None:
            folders[name] = Path(item.folder).parent
    pluggy = find_spec("pluggy")  # which is loaded only where there are plugins of somebody else's
    if pluggy is not None and pluggy.origin is not None:
        folders["pluggy"] = Path(pluggy.origin).parents[1]
    return [
        *(f"{name}={folder}" for name, folder in folders.items()),
        *(f"={place}" for place in places("runlore")[:1]),
    ]


def _finish(run: Run, outcome: Outcome, relay: Relay, told: Told | None) -> None:
    """Write how the program ended, and what it has printed."""
    log = run.run_log
    assert log.writer is not None
    path = log.writer.path.with_suffix(".out")
    run.companions.await_captures()
    try:
        if told is not None:
            told.take()
    except OSError as error:
        log.missing("code that the program imported", error.strerror or str(error))
    for why in relay.missing:
        log.missing("output", why)
    try:
        with suppress(FileNotFoundError):
            content = read_bytes(path, None, 2 * MAX_BYTES)
            if content:
                log.keep_bytes(content, name=ARTIFACT_NAME, kind="log", masked=len(content) > MAX_AGAIN_BYTES)
            drop(path)
    except OSError as error:
        report(f"the output can't be kept: {error.strerror or error}")
    end = _end(run, outcome)
    from runlore.programs.folding import fold

    try:
        if not fold(run, end[0]) and told is not None and told.seeds:
            log.event(section_event("seeds", told.seeds))
    except OSError as error:
        report(f"the training in this program stays a run of its own: {error.strerror or error}")
    run.finish(*end)


def _end(run: Run, outcome: Outcome) -> tuple[Status, BaseException | None]:
    if not outcome.status and outcome.signal is None:
        return "finished", None
    from runlore.log.record import read_files

    has_told = any(content.end is not None for content in read_files(run.folder, run.id).contents)
    if outcome.signal == signal.SIGINT and has_told:
        return "interrupted", None
    if outcome.signal is None:
        return "failed", None if has_told else ProgramFailed(f"exit status {outcome.status}")
    why = "; the kernel had no memory left for it" if outcome.out_of_memory else ""
    status: Status = "interrupted" if outcome.signal_name in INTERRUPTING else "failed"
    return status, ProgramFailed(f"ended by {outcome.signal_name}{why}")
