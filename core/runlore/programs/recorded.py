"""Record a program that `runlore run` starts: its run, its output, its end, and what the Pythons in it are told."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from runlore._inside import drop, read_bytes
from runlore._settings import NAMES, setting
from runlore._startup import JOINING, PROGRAM, WATCHED, told_program
from runlore._warnings import report
from runlore.errors import RunloreError
from runlore.log.record import read_files
from runlore.plugins.autolog import wanted_by_setting, watched_modules
from runlore.plugins.manager import plugins
from runlore.programs.folding import fold
from runlore.programs.kept_output import Recorder
from runlore.programs.printed import Forms
from runlore.programs.relay import Relay
from runlore.programs.supervising import Outcome, become, hold_signals, supervise
from runlore.recording.companions import MAX_AGAIN_BYTES
from runlore.recording.ending import Status
from runlore.recording.output import ARTIFACT_NAME, MAX_BYTES
from runlore.recording.run import Run, unrecorded
from runlore.recording.starting import RECORDED_BY, Command, StartRequest, start
from runlore.store.store import open_store

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


def record(words: Sequence[str], opened: Callable[[], Run], forms: Forms | None = None) -> Outcome:
    """Run a program to its end, and record it in the run that `opened` returns, which is ended. `words` are executed.

    Numbers that it prints in some `forms` become metrics.

    Raises:
        OSError: it can't be started; its run has failed then.
    """
    plugins()  # before there are two processes
    mask = hold_signals()
    try:
        relay = Relay(partial(Recorder, forms=forms))
    except OSError as error:  # no descriptors or processes are left: the program may need none
        report(f"nothing of this program is recorded: {error.strerror or error}")
        become(words, mask)
    run = opened()
    is_recorded = run.run_log.writer is not None
    if run.run_log.writer is not None:
        told = (str(run.run_log.writer.path.with_suffix(".out")), str(run.folder.root), run.id)
        relay.record_into(b"\0".join(map(os.fsencode, told)))
    environment = _environment(run) if is_recorded else os.environ
    is_python = _is_python(words[0])
    try:
        if not is_python:
            run.companions.capture()
        outcome = supervise(words, environment, relay, mask)
    except OSError as error:
        run.finish("failed", error)
        raise
    if is_recorded:
        _finish(run, outcome, relay)
    return outcome


def _environment(run: Run) -> dict[str, str]:
    """Return the environment of the program, in which Pythons know what run they belong to."""
    found = dict(os.environ)
    found[PROGRAM] = f"{run.id} {os.getpid()} {run.folder.root}"
    found[NAMES["store"]] = str(run.folder.root)
    if setting("autolog") is None:
        found[NAMES["autolog"]] = os.environ[NAMES["autolog"]] = "1"
    found[WATCHED] = ",".join(watched_modules(wanted_by_setting()))
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (JOINING, found.get("PYTHONPATH"))))
    return found


def _is_python(word: str) -> bool:
    name = Path(word).name
    return name.startswith(("python", "pypy")) or word == sys.executable


def _finish(run: Run, outcome: Outcome, relay: Relay) -> None:
    """Write how the program ended, and what it has printed."""
    log = run.run_log
    assert log.writer is not None
    path = log.writer.path.with_suffix(".out")
    run.companions.await_captures()
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
    try:
        fold(run)
    except OSError as error:
        report(f"the training in this program stays a run of its own: {error.strerror or error}")
    run.finish(*end)


def _end(run: Run, outcome: Outcome) -> tuple[Status, BaseException | None]:
    if not outcome.status and outcome.signal is None:
        return "finished", None
    if outcome.signal is None:
        has_told = any(content.end is not None for content in read_files(run.folder, run.id).contents)
        return "failed", None if has_told else ProgramFailed(f"exit status {outcome.status}")
    why = "; the kernel had no memory left for it" if outcome.out_of_memory else ""
    status: Status = "interrupted" if outcome.signal_name in INTERRUPTING else "failed"
    return status, ProgramFailed(f"ended by {outcome.signal_name}{why}")
