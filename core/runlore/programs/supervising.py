"""Start a program as its shell would, and wait for it: its signals, its terminal and its end stay its own.

The program stays in the process group of its shell, so that Ctrl-C, Ctrl-Z and signals for the group reach it as ever.
A signal that is sent to our process alone is passed on, and so is one that arrived before the program was there, as it
would have ended it then. Which of both it was is told by a witness, a process of the
same group that only notes what signals arrive (it is that of the `Relay`).
"""

import errno
import os
import resource
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from runlore.programs.relay import Relay
from runlore.programs.unheard import Unheard

OF_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
KEPT = OF_FAULTS | {signal.SIGKILL, signal.SIGSTOP}
WATCHED = signal.valid_signals() - KEPT
NOT_PASSED_ON = {signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU}
SENT_BY_PROCESS = 0  # at most, as `si_code`: the kernel's own are above
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # what a shell exits with
LINE_BYTES = 80  # of a first line that tell if a file is a text

_GROUPS = Path("/proc/self/cgroup")
_TREE = Path("/sys/fs/cgroup")


class Outcome(NamedTuple):
    """The end of a program: by its exit status, or by a signal.

    `out_of_memory` tells that the kernel ended a process of this control group meanwhile.
    """

    status: int
    signal: int | None
    out_of_memory: bool

    @property
    def signal_name(self) -> str:
        """The name of the signal that ended it; empty where it exited."""
        return "" if self.signal is None else name_of(self.signal)


def name_of(number: int) -> str:
    """Return the name of a signal, as `kill -l` calls it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def find_program(name: str) -> str | None:
    """Return the file that a shell would execute for a name; None where there is none. shutil takes long to import."""
    folders = [""] if os.sep in name else os.environ.get("PATH", os.defpath).split(os.pathsep)
    places = (os.path.join(folder, name) for folder in folders)  # noqa: PTH118
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), None)  # noqa: PTH113


def hold_signals() -> set[int]:
    """Block the signals that are to be passed on, in threads that start from now on, too; return the mask before."""
    signal.signal(signal.SIGCHLD, lambda *_: None)  # one whose default is to be ignored is not held
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)}


def supervise(
    command: Sequence[str], environment: Mapping[str, str], relay: Relay, mask: set[int], unheard: Unheard
) -> Outcome:
    """Run a program to its end. `mask` is the signal mask that it begins with, as `hold_signals` returned it.

    Meanwhile look for Pythons in it that are `unheard`.

    Raises:
        OSError: it can't be started: there is no such program, or it can't be executed.
    """
    killed_before = _killed_in_group()
    early = _held()
    ours = [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if signal.getsignal(number) is signal.SIG_IGN]
    child = _spawned(
        command, environment,
        file_actions=relay.file_actions, setsigmask=mask, setsigdef=ours,  # which Python ignores from its start on
    )  # fmt: skip
    relay.started()
    for held in early:  # it can't have got them, whomever they were for
        relay.has_witnessed(held)
        os.kill(child, held)
    with unheard.looking(child):
        status = _wait(child, relay)
    relay.drain(_is_enough)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = 0 if number is not None else os.WEXITSTATUS(status)
    return Outcome(code, number, number == signal.SIGKILL and _killed_in_group() > killed_before)


def become(command: Sequence[str], mask: set[int]) -> NoReturn:
    """Execute a program in the place of this process, which can't watch it.

    Raises:
        OSError: it can't be executed.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        words = _by_shell(command, error)
    os.execvp(words[0], words)


def end_like(outcome: Outcome) -> None:
    """End this process as the program ended; does not return."""
    if outcome.signal is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program has dumped its own
        if outcome.signal not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(outcome.signal, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [outcome.signal])
        os.kill(os.getpid(), outcome.signal)
        time.sleep(1)  # it arrives before this
    os._exit(128 + outcome.signal if outcome.signal is not None else outcome.status)


def _spawned(command: Sequence[str], environment: Mapping[str, str], **settings: Any) -> int:
    try:
        return os.posix_spawnp(command[0], list(command), dict(environment), **settings)
    except OSError as error:
        words = _by_shell(command, error)
    return os.posix_spawnp(words[0], words, dict(environment), **settings)


def _by_shell(command: Sequence[str], error: OSError) -> list[str]:
    """Return what executes a text that does not say by what, as shells and `execvp` of C do.

    Raises:
        OSError: it is no text, or the `error` is another one.
    """
    path = find_program(command[0])
    if error.errno != errno.ENOEXEC or path is None:
        raise error
    with open(path, "rb") as file:  # noqa: PTH123  # pathlib is slow
        if b"\0" in file.readline(LINE_BYTES):
            raise error
    return ["/bin/sh", path, *command[1:]]


def _held() -> list[int]:
    """Return the signals that have arrived and are to be passed on, and hold them no longer."""
    found = []
    while (arrived := signal.sigtimedwait(WATCHED - NOT_PASSED_ON, 0)) is not None:
        found.append(arrived.si_signo)
    return found


def _wait(child: int, relay: Relay) -> int:
    """Wait until the program has ended, and pass on what signals arrive meanwhile."""
    while True:
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if pid and not os.WIFSTOPPED(status):
            return status
        if pid:
            _stop_like(os.WSTOPSIG(status))
            continue
        found = signal.sigwaitinfo(WATCHED)
        number = found.si_signo
        if number in NOT_PASSED_ON:
            continue
        is_for_all = relay.has_witnessed(number)
        sent_to_us = found.si_code <= SENT_BY_PROCESS and found.si_pid != child
        if number == signal.SIGWINCH and relay.terminal is not None:
            relay.terminal.copy_size()
            os.kill(child, number)  # it may have asked for the size before it was copied
        elif sent_to_us and not is_for_all:
            os.kill(child, number)


def _stop_like(number: int) -> None:
    """Stop this process, too, as the shell waits for it; return when it goes on."""
    if number == signal.SIGSTOP or signal.getsignal(number) is not signal.SIG_DFL:
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])  # it stops here
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    while signal.sigtimedwait([signal.SIGCONT], 0) is not None:
        pass  # the one that woke us was for the group


def _killed_in_group() -> int:
    """Return how many processes of this control group the kernel has ended for lack of memory; 0 if it is not known."""
    try:
        lines = [line.split(":", 2) for line in _GROUPS.read_text(encoding="utf-8").splitlines()]
        for number, kinds, name in lines:
            events = _TREE / name.lstrip("/") / "memory.events" if number == "0" else None
            if "memory" in kinds.split(","):
                events = _TREE / "memory" / name.lstrip("/") / "memory.oom_control"
            told = events.read_text(encoding="utf-8") if events is not None and events.is_file() else ""
            for line in told.splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def _is_enough() -> bool:
    """Return True if somebody wants us to end, while output that nobody takes keeps us waiting."""
    return bool(signal.sigpending() & ENDING)
