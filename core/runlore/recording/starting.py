"""Starting a run, or going on with one."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runlore import _ids
from runlore._settings import disabled_names, flag, setting
from runlore._startup import BEGAN_IN
from runlore._warnings import report
from runlore.errors import RunNotFound, SettingError
from runlore.log.folder import Folder
from runlore.log.liveness import Life
from runlore.log.record import Record, read_record
from runlore.log.values import as_step, describe, text_of
from runlore.plugins.manager import plugins
from runlore.recording.captures import section_event
from runlore.recording.ranks import is_follower
from runlore.recording.run import Run, open_run
from runlore.recording.seeds import seeds

DEFAULT_EXPERIMENT = "default"
AGAIN = "-again"  # behind the names that a script gives, when it is run again
REPRODUCTION = "RUNLORE_REPRODUCTION"  # names what `runlore reproduce` does, in the processes of the command


def start(
    folder: Folder,
    name: str | None,
    *,
    experiment: str | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    parent: str | None = None,
    resume: str | None = None,
    at_step: int | None = None,
    lasted: float = 0.0,
    like: Run | None = None,
    leader: bool | None = None,
    launch: str | None = None,
) -> Run:
    """Start a run in a store's folder; see `Store.start_run`. `parent` and `resume` are whole ids.

    One that is recorded afterwards began `lasted` seconds ago, `like` another that was captured then. `leader` says
    whether this process leads its training, where the caller knows; `launch` is what the one that started it calls it.
    """
    for what, value in (("params", params), ("tags", tags)):
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"{what} is {value!r}: write a mapping, such as {{'key': 'value'}}")
    unknown: list[tuple[str, str]] = []
    opening = _opening(experiment, parent, unknown, seeded=like is None, leader=leader, launch=launch)
    if lasted > 0:
        opening["time"] = time.time_ns() // 1000 - int(lasted * 1e6)
    before: Record | None = None
    run = _resumed(folder, resume, at_step, opening) if resume is not None else None
    if run is None:
        if resume is not None:
            before = read_record(folder, resume)[0]
            opening["experiment"] = experiment or before.experiment
        run_id = _ids.new_run_id(time.time_ns() // 1000)
        run = open_run(folder, run_id, _name(name, opening), opening, like=like)
        if before is not None:
            run.link("resumed_from", before.id, step=at_step)
    for what, why in unknown:
        run.log_missing(what, why)
    if params:
        run.log_params(params)
    if tags:
        run.set_tags(tags)
    if opening["parent"] is None and opening["mode"] != "off" and not _is_quiet():
        _announce(run, opening["mode"], None if resume is None else before.name if before is not None else run.name)
    return run


def _opening(
    experiment: str | None,
    parent: str | None,
    unknown: list[tuple[str, str]],
    *,
    seeded: bool,
    leader: bool | None,
    launch: str | None,
) -> dict[str, Any]:
    """The opening event, as far as it does not depend on other runs; `unknown` takes what could not be captured."""
    opening: dict[str, Any] = {
        "mode": "off" if "all" in disabled_names() or (is_follower() if leader is None else not leader) else "start",
        "experiment": str(experiment or "") or setting("experiment") or DEFAULT_EXPERIMENT,
        "parent": parent,
        "argv": [str(part) for part in sys.argv],
        "cwd": _cwd(),
    }
    program = _program()
    if program is not None:
        opening["program"] = program
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        if script is not None and BEGAN_IN is not None:
            opening["script"] = str(Path(BEGAN_IN, script))
    if BEGAN_IN is not None and opening["cwd"] != BEGAN_IN:
        opening["began_in"] = BEGAN_IN
    if seeded:  # what was drawn since tells nothing of a part that is over

        def note(plugin: str, error: Exception) -> None:
            unknown.append((f"seeds from {plugin}", f"{type(error).__name__}: {error}"))

        found = seeds(plugins(), note)
        opening["seeds"] = section_event("seeds", found)["sections"]["seeds"]
    if launch is not None:
        opening["launch"] = launch
    if REPRODUCTION in os.environ:
        opening["reproduction"] = os.environ[REPRODUCTION]
    return opening


def _program() -> list[str] | None:
    """How Python was started, up to the script's own arguments: ["train.py"], ["-m", "package.train"], ["-X", …].

    None where the script has changed `sys.argv`, or the code itself was the argument.
    """
    given, own = sys.orig_argv[1:], sys.argv[1:]
    count = len(given) - len(own)
    return None if given[count:] != own or "-c" in given[:count] else given[:count]


def _resumed(folder: Folder, resume: str, at_step: int | None, opening: dict[str, Any]) -> Run | None:
    """The run itself with a new segment; None if it has finished, so that a new one has to be linked to it."""
    record, writers = read_record(folder, resume)
    if record.status == "finished":
        return None
    if any(content.life is Life.ALIVE and content.end is None for content in writers.owners()):
        raise RunNotFound(f"run {record.name!r} is still being written by another process: it can't be resumed")
    cut = as_step(at_step)
    last_steps = {key: tally.last_step for key, tally in record.tallies.items()}
    if cut is not None:
        last_steps = {key: min(step, cut) for key, step in last_steps.items()}
    opening |= {
        "mode": "resume" if opening["mode"] == "start" else "off",
        "experiment": record.experiment,
        "parent": record.parent,
        "cut": cut,
        "predecessor": writers.contents[-1].path.name if writers.contents else None,
    }
    return open_run(folder, record.id, record.name, opening, last_steps=last_steps)


def _name(name: str | None, opening: dict[str, Any]) -> str:
    if not name:
        return _ids.new_name()
    if "reproduction" not in opening:
        return text_of(describe(name))
    count = str(opening["reproduction"]).partition(".")[2]  # so that each can be called by its name
    return text_of(describe(name)) + AGAIN + (f"-{count}" if count else "")


def _cwd() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # somebody removed it
        return None


def _is_quiet() -> bool:
    try:
        return flag("quiet")
    except SettingError as error:  # nothing that is worth ending a training for
        report(str(error))
        return False


def _announce(run: Run, mode: str, resume: str | None) -> None:
    if run.run_log.writer is None:
        return
    word = "run" if resume is None else "resumed run" if mode == "resume" else f"{resume} had finished; new run"
    line = f"runlore: {word} {run.name} · runlore show {run.id[-_ids.SHORT :]}\n"
    try:
        sys.stderr.write(line)
    except (OSError, ValueError, AttributeError, UnicodeEncodeError):
        return  # no stderr (pythonw, a closed pipe): nobody would read it
