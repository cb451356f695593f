"""Repeat a run: write its code, environment and data into a fresh folder, and run its command there."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runlore import _ids
from runlore.analysis.comparison import Comparison
from runlore.index.contents import count_linked
from runlore.log.record import REPRODUCES, read_record
from runlore.provenance.source import code_of
from runlore.provenance.trust import Proven
from runlore.recording.starting import REPRODUCTION
from runlore.reproduction.command import choose_command
from runlore.reproduction.environment import choose_environment
from runlore.reproduction.matching import Pair, counterparts, descendants, leader_of
from runlore.reproduction.paths import Places
from runlore.reproduction.plan import CannotReproduce, Plan
from runlore.reproduction.restore import add_files, find_clone, note_left_out, restore_code, restore_data
from runlore.store.runs import RecordedRun
from runlore.store.search import opened_with
from runlore.store.store import Store

STDERR = 2  # file descriptor
MAX_SOURCES = 200  # runs that one goes back to
TERMINATION_WAIT_S = 10  # from SIGTERM to SIGKILL, for a command that does not end


@dataclass(frozen=True, slots=True)
class Redone:
    """The result of `carry_out`.

    `pairs` holds the run and its descendants, each with the new run that repeats it; `lacking` those that were not
    repeated; `others` the new runs that repeat none of them. `exit_status` is the command's, negative for a signal.
    """

    pairs: tuple[Pair, ...]
    lacking: tuple[RecordedRun, ...]
    others: tuple[RecordedRun, ...]
    exit_status: int
    interrupted: bool


def distrust(run: RecordedRun) -> str | None:
    """Return the reason not to execute the code of a run without asking; None if there is none.

    The store is this user's, and a proof says that they recorded it here: the run, those above it, and those whose
    files it read. What the record says of its machine is no reason to trust it.
    """
    if run.store.root.stat().st_uid != os.getuid():
        return f"the store {str(run.store.root)!r} belongs to another user"
    for count, one in enumerate(_sources(run)):
        if count == MAX_SOURCES:
            return f"run {run.name!r} goes back to more than {MAX_SOURCES} runs: not all of them were looked at"
        record, writers = read_record(one.store.folder, one.id)
        if {content.path.stat().st_uid for content in writers.contents} - {os.getuid()}:
            return f"run {one.name!r} was written by another user"
        proven = Proven(one.store.folder, one.id)
        if not proven.record.segments:
            host = record.command.get("host")
            return (
                f"nothing proves that you recorded run {one.name!r} on this machine (it says {host!r}): "
                "it came from elsewhere, or an earlier version recorded it"
            )
        if not proven.tells_all(record):
            return f"nothing proves that you recorded all of run {one.name!r}: something was added to it"
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
    """Write the code and the data of a run into an empty folder; the plan says what could not be restored.

    With `here` the running Python is used instead of a new environment with the recorded packages. `copied` and
    `linked` are files and folders that git does not have, by their place in the user's tree; they are copied into the
    fresh folder, or linked. `command` replaces the recorded command. Pass `look=False` for a run that is not trusted:
    no environment is made then, since installing a package may execute its build script, no file is read outside of
    the folder, of which the record alone says that it is data, and no repository, of which it alone says where it is.

    Raises:
        CannotReproduce: the folder is not empty, or a file can't be copied.
        MissingDependency: an environment has to be made, and uv is not installed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotReproduce(f"{str(folder)!r} is not empty: name a folder that is not there yet")
    folder.mkdir(parents=True, exist_ok=True)
    leader = leader_of(run)
    recorded = code_of(leader)
    code = find_clone(recorded, leader, look=look)
    places = Places.of(leader, code if code.root else recorded, folder.resolve())
    plan = Plan(run, places, changed=bool(command))
    restore_code(plan, code, leader, places)
    add_files(copied or {}, places, link=False)
    add_files(linked or {}, places, link=True)
    restore_data(plan, leader, places, look=look)
    if look:
        note_left_out(plan, code, leader, places)
    choose_environment(plan, leader, places, here=here, look=look)
    choose_command(plan, leader, places, command)
    if len(leader.segments) > 1:
        starts = len(leader.segments)
        plan.notes.append(f"it was resumed, {starts} starts in all, maybe with other code: the command is run once")
    return plan


def carry_out(plan: Plan, store: Store, *, to_stderr: bool = False) -> Redone:
    """Run the command of a plan, and link the runs that it records in `store` to those that they repeat.

    The command's output goes to ours, or all of it to stderr with `to_stderr`; it has no stdin. It gets the terminal's
    Ctrl-C as we do; at the second one, and when this process is told to end, it is terminated.

    Raises:
        CannotReproduce: there is no command, or the environment can't be made.
    """
    if not plan.command:
        raise CannotReproduce(f"no command is known for run {plan.run.name!r}: name one behind --")
    if plan.fresh is not None:
        reason = plan.fresh.install()
        if reason is not None:
            raise CannotReproduce(f"the environment can't be made: {reason}")
    count = store.ask(count_linked, REPRODUCES, leader_of(plan.run).id)
    # The number becomes part of the new runs' names: "first-again-2".
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


def unexpected(plan: Plan, found: Comparison) -> Comparison:
    """Return a comparison of a run with its repetition, without what differs only because of the fresh folder."""

    def as_then(value: Any) -> Any:
        return plan.places.as_then(value) if isinstance(value, str) else value

    changes = [item for item in found.changes if item.group != "command" and as_then(item.b) != item.a]
    return replace(found, changes=tuple(changes))


def _sources(run: RecordedRun) -> Iterator[RecordedRun]:
    """Yield a run, those above it, and those whose files they read, each once: one more than are looked at, at most."""
    found, named = [run], {run.id}
    for one in found:  # which grows meanwhile
        yield one
        linked = [str(link["run"]) for link in one.links if link.get("sha256")]
        new = [other for other in dict.fromkeys([one.parent_id or "", *linked]) if other not in named]
        named.update(new)
        found += one.store.known(new[: MAX_SOURCES + 1])


def _wait(child: "subprocess.Popen[bytes]") -> bool:
    """Wait for the command, which never outlives this call. Return True if Ctrl-C was pressed."""
    interrupts = 0
    try:
        while child.returncode is None:
            try:
                child.wait()
            except KeyboardInterrupt:  # at a terminal the command got the same signal, and may end by itself
                interrupts += 1
                if interrupts > 1:
                    child.terminate()
    finally:
        if child.poll() is None:  # another exception, such as the SystemExit of a SIGTERM handler
            child.terminate()
            try:
                child.wait(TERMINATION_WAIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    return bool(interrupts)


def _linked(plan: Plan, new: Sequence[RecordedRun], exit_status: int, interrupted: bool) -> Redone:
    """Link every new run to the one that it repeats. Return the pairs, and the runs that are in none."""
    pairs = list(counterparts(plan.run, new, plan.places.as_then))
    for first, found in pairs:
        with found.attach() as opened:
            opened.link(REPRODUCES, first.id)
            if not plan.changed:
                opened.set_tags({REPRODUCES: first.name})
    wanted = descendants(plan.run)
    ours = tuple(pair for pair in pairs if pair[0] in wanted)
    found_for = {first.id for first, _ in ours}
    chosen = {found.id for _, found in ours}
    lacking = tuple(run for run in wanted if run.id not in found_for)
    return Redone(ours, lacking, tuple(found for found in new if found.id not in chosen), exit_status, interrupted)
