"""Doing a run again: its code, environment and data as they were, and its command, in a fresh folder."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runlore import _ids
from runlore.analysis.comparison import Comparison
from runlore.index.links import count_linked
from runlore.log.record import REPRODUCES
from runlore.log.search import opened_with
from runlore.provenance.source import code_of
from runlore.recording.starting import REPRODUCTION
from runlore.reproduction.command import choose_command
from runlore.reproduction.environment import choose_environment
from runlore.reproduction.matching import Pair, counterparts, descendants, leader_of
from runlore.reproduction.paths import Places
from runlore.reproduction.plan import CannotReproduce, Needed, Plan, Problem
from runlore.reproduction.restore import bring, name_left_behind, reachable, supply, write_files
from runlore.store.runs import RecordedRun
from runlore.store.store import Store

__all__ = ["CannotReproduce", "Needed", "Plan", "Problem", "Redone", "carry_out", "distrust", "prepare", "unexpected"]

STDERR = 2  # its descriptor
PATIENCE = 10  # seconds that a command has to end when it is told to


@dataclass(frozen=True, slots=True)
class Redone:
    """What was recorded anew.

    `pairs` are the run and those below it, each with the one that stands for it; `lacking` those that none stands for,
    `others` the other new ones. `exit_status` is that of the command, negative for a signal.
    """

    pairs: tuple[Pair, ...]
    lacking: tuple[RecordedRun, ...]
    others: tuple[RecordedRun, ...]
    exit_status: int
    interrupted: bool


def distrust(run: RecordedRun) -> str | None:
    """Why the code of a run should not be run without a second thought: who else may have written it. None if nobody.

    Its store is another user's, or it or a run above it was recorded by another user, or on another machine.
    """
    if run.store.root.stat().st_uid != os.getuid():
        return f"the store {str(run.store.root)!r} belongs to another user"
    for one in _line(run):
        if {content.path.stat().st_uid for content in one._writers.contents} - {os.getuid()}:
            return f"run {one.name!r} was written by another user"
        host = one.command.get("host")
        if host != os.uname().nodename:
            return f"run {one.name!r} was recorded on another machine ({host})"
    return None


def prepare(
    run: RecordedRun,
    folder: Path,
    *,
    here: bool = False,
    copied: Mapping[str, Path] | None = None,
    linked: Mapping[str, Path] | None = None,
    command: Sequence[str] = (),
    look: bool = True,
) -> Plan:
    """Write the code and the data of a run into an empty folder, and find out what can't be restored.

    `here` takes the Python that runs now, instead of an environment made from the recorded packages. `copied` and
    `linked` are files and folders that git does not have and that are to be there, too, by the place in the user's tree
    that they are for; they are copied, or there is a link to them. `command` is run in place of the recorded one.
    Without `look` no environment is made, for a run that nobody trusts: to look for packages may mean to build them.

    Raises:
        CannotReproduce: the folder is not empty, or something can't be copied.
        MissingDependency: an environment is to be made, and uv is not installed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotReproduce(f"{str(folder)!r} is not empty: name a folder that is not there yet")
    folder.mkdir(parents=True, exist_ok=True)
    leader = leader_of(run)
    code = reachable(code_of(leader), leader)
    places = Places.of(leader, code, folder.resolve())
    plan = Plan(run, places, changed=bool(command))
    write_files(plan, code, leader, places)
    bring(copied or {}, places, link=False)
    bring(linked or {}, places, link=True)
    supply(plan, leader, places)
    name_left_behind(plan, code, leader, places)
    choose_environment(plan, leader, places, here=here, look=look)
    choose_command(plan, leader, places, command)
    if len(leader.segments) > 1:
        plan.notes.append(f"it was begun {len(leader.segments)} times, maybe with other code: it would be run once")
    return plan


def carry_out(plan: Plan, store: Store, *, to_stderr: bool = False) -> Redone:
    """Run the command of a plan, and link what it records in `store` to the runs that it stands for.

    What it prints goes where our own goes, or all `to_stderr`. It has no terminal, but hears of Ctrl-C; from the second
    on, and when we are told to end, it is told to end.

    Raises:
        CannotReproduce: there is no command, or the environment can't be made.
    """
    if not plan.command:
        raise CannotReproduce(f"no command is known for run {plan.run.name!r}: name one behind --")
    if plan.fresh is not None:
        reason = plan.fresh.install()
        if reason is not None:
            raise CannotReproduce(f"the environment can't be made: {reason}")
    count = _times_done(store, leader_of(plan.run))
    token = f"{_ids.new_run_id(time.time_ns() // 1000)}{f'.{count + 1}' if count else ''}"
    given = {**plan.settings, "RUNLORE_STORE": str(store.root), REPRODUCTION: token}
    environment = {name: value for name, value in {**os.environ, **given}.items() if value is not None}
    output = STDERR if to_stderr else None
    try:
        child = subprocess.Popen(
            plan.command, cwd=plan.cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output
        )  # fmt: skip
    except OSError as error:
        raise CannotReproduce(f"{plan.command[0]!r} can't be run: {error.strerror}") from None
    interrupted = _wait(child)
    new = [store.run(run_id) for run_id in reversed(list(opened_with(store.folder, "reproduction", token)))]
    return _linked(plan, new, child.returncode, interrupted)


def _times_done(store: Store, run: RecordedRun) -> int:
    """How many runs of the store do this one again."""
    return store.ask(count_linked, REPRODUCES, run.id)


def unexpected(plan: Plan, found: Comparison) -> Comparison:
    """What differs between a run and the one that stands for it, but for where things lie."""

    def as_then(value: Any) -> Any:
        return plan.places.as_then(value) if isinstance(value, str) else value

    changes = [item for item in found.changes if item.group != "command" and as_then(item.b) != item.a]
    return replace(found, changes=tuple(changes))


def _line(run: RecordedRun) -> list[RecordedRun]:
    """A run and those above it."""
    parent = run.parent
    return [run] if parent is None else [run, *_line(parent)]


def _wait(child: "subprocess.Popen[bytes]") -> bool:
    """Wait for the command; whether somebody interrupted it. It does not outlive us."""
    interrupts = 0
    try:
        while child.returncode is None:
            try:
                child.wait()
            except KeyboardInterrupt:  # at a terminal it had the same signal, and ends in its own way
                interrupts += 1
                if interrupts > 1:
                    child.terminate()
    finally:
        if child.poll() is None:  # we are told to end
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    return bool(interrupts)


def _linked(plan: Plan, new: Sequence[RecordedRun], exit_status: int, interrupted: bool) -> Redone:
    """Link every new run to the one that it stands for."""
    pairs = list(counterparts(plan.run, new, plan.places.as_then))
    for first, found in pairs:
        opened = found.attach()
        opened.link(REPRODUCES, first.id)
        if not plan.changed:
            opened.set_tags({REPRODUCES: first.name})
        opened.finish()
    wanted = list(descendants(plan.run))
    ours = tuple(pair for pair in pairs if pair[0] in wanted)
    found_for = {first.id for first, _ in ours}
    chosen = {found.id for _, found in ours}
    lacking = tuple(run for run in wanted if run.id not in found_for)
    return Redone(ours, lacking, tuple(found for found in new if found.id not in chosen), exit_status, interrupted)
