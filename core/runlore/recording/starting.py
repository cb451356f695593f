"""Start a run in a store's folder, or continue one: what is known of the process is written into its opening event."""

import os
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from runlore import _ids
from runlore._frozen import Frozen, late
from runlore._settings import disabled_names, flag, setting
from runlore._standing import main_file
from runlore._startup import BEGAN_IN, script_arguments, told_program, working_folder
from runlore._text import as_text
from runlore._warnings import tell, valid_or
from runlore.log.events import Event
from runlore.log.folder import Folder
from runlore.log.values import as_step, describe, mapping_of, text_of
from runlore.plugins.manager import plugins
from runlore.recording.captures import section_event
from runlore.recording.ranks import is_follower
from runlore.recording.resuming import FINISHED, STILL_WRITTEN, find_job, look_at
from runlore.recording.run import Run, open_run
from runlore.recording.seeds import seeds

DEFAULT_EXPERIMENT = "default"
AGAIN = "-again"  # ends the names that a script gives, when it is run again
RECORDED_BY = ("-m", "runlore", "run")
REPRODUCTION = "RUNLORE_REPRODUCTION"  # set by `runlore reproduce` in the processes of the command, to name itself


@late
class Command(Frozen):
    """Tells of a program that this process only starts what its own opening event would say.

    `program` repeats it, up to its own arguments, when Python is given it; `script` is the file, if there is one.
    """

    argv: list[str]
    program: list[str]
    script: str | None = None

    def known(self) -> Event:
        """Return the fields of an opening event."""
        return {"argv": self.argv, "program": self.program, **({} if self.script is None else {"script": self.script})}


@late
class StartRequest(Frozen):
    """Describes a run that is to be started; see `Store.start_run`.

    `parent` and `resume` are whole ids; with `goes_on`, a run is resumed although it has finished. A run that is
    recorded afterwards began `lasted` seconds ago, and takes over the captures of a run `like` it. `sha256` is of the
    checkpoint that it goes on from. `leader` is True in the process that leads its training, where the caller knows;
    `launch` is the token of the launch that started this process. The run of another program has its `command`, and
    captures nothing of this process.
    """

    name: str | None = None
    experiment: str | None = None
    params: object | None = None
    tags: Mapping[str, Any] | None = None
    parent: str | None = None
    resume: str | None = None
    goes_on: bool = False
    at_step: int | None = None
    sha256: str | None = None
    lasted: float = 0.0
    like: Run | None = None
    leader: bool | None = None
    launch: str | None = None
    command: Command | None = None


def start(folder: Folder, request: StartRequest) -> Run:
    """Start a run, or continue the one to be resumed; a new one is linked to it where that is whole, or still written.

    Raises:
        TypeError: params or tags are no mapping.
    """
    for what, value in (("params", request.params), ("tags", request.tags)):
        if value is not None and mapping_of(value) is None:
            raise TypeError(f"{what} is {value!r}: write a mapping, such as {{'key': 'value'}}")
    opening = _opening(request)
    own = request.like is None and request.command is None  # draws behind a run's end tell nothing of it
    unknown = _add_seeds(opening) if own else []
    if request.resume is None:
        run, title = _begin(folder, request, opening), "run"
    else:
        run, title = _resume(folder, request.resume, request, opening)
    for what, why in unknown:
        run.log_missing(what, why)
    if request.params is not None:
        run.log_params(request.params)
    if request.tags is not None:
        run.set_tags(request.tags)
    if opening["parent"] is None and run.run_log.writer is not None and not valid_or(False, flag, "quiet"):
        tell(f"{title} {run.name} · runlore show {run.id[-_ids.SHORT_DIGITS :]}")
    return run


def _opening(request: StartRequest) -> Event:
    """Return the opening event, as far as it does not depend on other runs."""
    follows = is_follower() if request.leader is None else not request.leader
    opening: Event = {
        "mode": "off" if follows or "all" in valid_or(frozenset[str](), disabled_names) else "start",
        "experiment": _given(request.experiment) or valid_or(None, setting, "experiment") or DEFAULT_EXPERIMENT,
        "parent": request.parent,
        "argv": script_arguments(),
        "cwd": working_folder(),
    }
    opening |= _called_as() if request.command is None else request.command.known()
    if BEGAN_IN is not None and opening["cwd"] != BEGAN_IN:
        opening["began_in"] = BEGAN_IN
    if request.lasted > 0:
        opening["time"] = time.time_ns() // 1000 - int(request.lasted * 1e6)
    if request.launch is not None:
        opening["launch"] = request.launch
    job = find_job()
    if job is not None:
        opening["job"] = {"id": job.id, "start": job.start}
    if REPRODUCTION in os.environ:
        opening["reproduction"] = os.environ[REPRODUCTION]
    return opening


def _called_as() -> Event:
    """Return how this process was started."""
    program = _program()
    if program is None:
        return {}
    script = main_file()
    found: Event = {"program": [*RECORDED_BY, *program] if told_program() is not None else program}
    return found if script is None or BEGAN_IN is None else found | {"script": _place_of(BEGAN_IN, script)}


@lru_cache(maxsize=4)  # each run asks for the same
def _place_of(folder: str, script: str) -> str:
    return str(Path(folder, script))


def _add_seeds(opening: Event) -> list[tuple[str, str]]:
    """Add the seeds to an opening event; return what could not be captured, and why."""
    unknown = []

    def note(plugin: str, error: Exception) -> None:
        unknown.append((f"seeds from {plugin}", f"{type(error).__name__}: {error}"))

    found = seeds(plugins(), note)
    opening["seeds"] = section_event("seeds", found)["sections"]["seeds"]
    return unknown


def _given(value: object) -> str:
    """Return an argument as text; an empty one where it was not given."""
    return "" if value is None else as_text(value)


def script_name() -> str | None:
    """Return how this process calls its script; None without any arguments."""
    return next(iter(script_arguments()), None)


def _program() -> list[str] | None:
    """Return how Python was started, up to the script's own arguments: ["train.py"], ["-m", "package.train"], …

    None where the script has changed `sys.argv`, or the code itself was the argument.
    """
    given, own = sys.orig_argv[1:], script_arguments()[1:]
    count = len(given) - len(own)
    return None if given[count:] != own or "-c" in given[:count] else given[:count]


def _begin(folder: Folder, request: StartRequest, opening: Event) -> Run:
    run_id = _ids.new_run_id(time.time_ns() // 1000)
    captures = [] if request.like is None else request.like.companions.taken
    own = request.like is None and request.command is None
    return open_run(folder, run_id, _name(request.name, opening), opening, captures=None if own else captures)


def _resume(folder: Folder, run_id: str, request: StartRequest, opening: Event) -> tuple[Run, str]:
    """Open a new segment of a run, or a new run linked to it where it can't go on; return how to announce it, too."""
    if opening["mode"] == "off":
        return _begin(folder, request, opening), "run"  # nothing is recorded: nothing to wait for
    earlier = look_at(folder, run_id, find_job())
    record, writers = earlier.record, earlier.writers
    if earlier.obstacle and not (request.goes_on and earlier.obstacle == FINISHED):
        opening["experiment"] = _given(request.experiment) or record.experiment
        from runlore.log.record import RESUMED_FROM

        run = _begin(folder, request, opening)
        written = earlier.obstacle == STILL_WRITTEN
        run.link(RESUMED_FROM, record.id, step=request.at_step, sha256=request.sha256 if written else None)
        return run, f"{record.name} {earlier.obstacle}; new run"
    cut = as_step(request.at_step)
    last_steps = writers.last_steps()
    if cut is not None:
        last_steps = {key: min(step, cut) for key, step in last_steps.items()}
    opening |= {
        "mode": "resume",
        "experiment": record.experiment,
        "parent": record.parent,
        "cut": cut,
        "predecessor": writers.contents[-1].path.name if writers.contents else None,
    }
    return open_run(folder, record.id, record.name, opening, last_steps=last_steps), "resumed run"


def _name(name: str | None, opening: Event) -> str:
    name = None if name is None else text_of(describe(name))
    if not name:
        return _ids.new_name()
    if "reproduction" not in opening:
        return name
    count = str(opening["reproduction"]).partition(".")[2]  # so that each can be called by its name
    return name + AGAIN + (f"-{count}" if count else "")
