"""Starting a run, or going on with one."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore import _ids
from runlore._began import BEGAN_IN
from runlore._capture import section_event
from runlore._present import open_run
from runlore._process import process
from runlore._ranks import is_follower
from runlore._run import Run
from runlore._seeds import seeds
from runlore._settings import disabled_names, flag, setting
from runlore._values import describe, text_of
from runlore._writer import as_step, report
from runlore.errors import RunNotFound, SettingError
from runlore.store import DEFAULT_EXPERIMENT, Store

if TYPE_CHECKING:
    from runlore.runs import RecordedRun


AGAIN = "-again"  # behind the names that a script gives, when it is run again
REPRODUCTION = "RUNLORE_REPRODUCTION"  # names what `runlore reproduce` does, in the processes of the command


def start(
    store: Store,
    name: str | None,
    *,
    experiment: str | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    parent: "str | Run | RecordedRun | None" = None,
    resume: str | None = None,
    at_step: int | None = None,
    lasted: float = 0.0,
    like: Run | None = None,
    leader: bool | None = None,
    launch: str | None = None,
) -> Run:
    """A run of `store`; see `Store.start_run`.

    One that is recorded afterwards began `lasted` seconds ago, `like` another that was captured then. `leader` says
    whether this process leads its training, where the caller knows; `launch` is what the one that started it calls it.
    """
    for what, value in (("params", params), ("tags", tags)):
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"{what} is {value!r}: write a mapping, such as {{'key': 'value'}}")
    unknown: list[tuple[str, str]] = []
    opening = _opening(store, experiment, parent, unknown, seeded=like is None, leader=leader, launch=launch)
    if lasted > 0:
        opening["time"] = time.time_ns() // 1000 - int(lasted * 1e6)
    before = None
    run = _resumed(store, resume, at_step, opening) if resume is not None else None
    if run is None:
        before = store.run(resume) if resume is not None else None
        if before is not None:
            opening["experiment"] = experiment or before.experiment
        run_id = _ids.new_run_id(time.time_ns() // 1000)
        run = open_run(store.folder, run_id, _name(name, opening), opening, like=like)
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
    store: Store,
    experiment: str | None,
    parent: "str | Run | RecordedRun | None",
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
        "parent": _parent_id(store, parent),
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

        found = seeds(process.plugins(), note)
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


def _resumed(store: Store, resume: str, at_step: int | None, opening: dict[str, Any]) -> Run | None:
    """The run itself with a new segment; None if it has finished, so that a new one has to be linked to it."""
    from runlore._liveness import Life
    from runlore._record import read_record

    earlier = store.run(resume)
    record, writers = read_record(store.folder, earlier.id)
    if record.status == "finished":
        return None
    if any(content.life is Life.ALIVE and content.end is None for content in writers.owners()):
        raise RunNotFound(f"run {earlier.name!r} is still being written by another process: it can't be resumed")
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
    return open_run(store.folder, earlier.id, record.name, opening, last_steps=last_steps)


def _parent_id(store: Store, parent: "str | Run | RecordedRun | None") -> str | None:
    if not isinstance(parent, str):
        return None if parent is None else parent.id
    return parent if _ids.is_run_id(parent) else store.run(parent).id


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
    if run._writer is None:
        return
    word = "run" if resume is None else "resumed run" if mode == "resume" else f"{resume} had finished; new run"
    line = f"runlore: {word} {run.name} · runlore show {run.id[-_ids.SHORT :]}\n"
    try:
        sys.stderr.write(line)
    except (OSError, ValueError, AttributeError, UnicodeEncodeError):
        return  # no stderr (pythonw, a closed pipe): nobody would read it
