"""Look for Pythons of a program that have not joined its run: what they do can't be recorded, so it is told.

A Python joins by its environment, which others may make anew on the way to it. Only one that lives at a look is seen.
"""

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runlore._startup import JOINING
from runlore._threads import OwnThread

PROCESSES = Path("/proc")
FIRST_S, LONGEST_S = 0.25, 5.0  # between two looks, which double
ALONE = frozenset("IES")  # options by which Python runs no code of ours
WITH_VALUE = ("-W", "-X")
MAX_FOUND = 20


class Unheard:
    """The Pythons in a program that have not joined, each as it was called, with the reason."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._known: dict[str, str] = {}  # the program of each process that was looked at

    @contextmanager
    def looking(self, process: int) -> Iterator[None]:
        """Look now and then, on a thread of our own, at a process and those below it, in the block."""
        ends = threading.Event()

        def work() -> None:
            pause = FIRST_S
            while not ends.wait(pause):
                self._look(process)
                pause = min(2 * pause, LONGEST_S)

        with suppress(RuntimeError):  # no thread to be had: nothing is told then
            OwnThread(work, "runlore-unheard").start()
        try:
            yield
        finally:
            ends.set()

    def _look(self, process: int) -> None:
        waiting = [str(process)]
        while waiting and len(self.found) < MAX_FOUND:
            name = waiting.pop()
            try:
                self._see(name)
                for thread in os.listdir(PROCESSES / name / "task"):
                    waiting += (PROCESSES / name / "task" / thread / "children").read_text(encoding="utf-8").split()
            except (OSError, IndexError):  # it has ended, or is another user's
                continue

    def _see(self, name: str) -> None:
        program = (PROCESSES / name / "exe").readlink().name
        if self._known.get(name) == program or not program.startswith(("python", "pypy")):
            return
        self._known[name] = program
        variables = (PROCESSES / name / "environ").read_bytes().split(b"\0")
        words = (PROCESSES / name / "cmdline").read_bytes().split(b"\0")[:-1]
        called, options = _called([os.fsdecode(word) for word in words])
        path = next((item.partition(b"=")[2] for item in variables if item.startswith(b"PYTHONPATH=")), b"")
        if options & ALONE:
            self.found[called] = "it was started by -I, -E or -S"
        elif os.fsencode(JOINING) not in path.split(os.fsencode(os.pathsep)):
            self.found[called] = "its PYTHONPATH was set anew"


def _called(words: Sequence[str]) -> tuple[str, set[str]]:
    """Return Python and what it executes, without the arguments of that, which may be secret; and its options."""
    options, rest, shown = set[str](), list(words[1:]), [Path(words[0]).name]
    while rest and rest[0].startswith("-") and not rest[0].startswith("--"):
        word = rest.pop(0)
        flags, kind, _ = re.split(r"([cm]|$)", word[1:], maxsplit=1)
        options |= set(flags)
        if kind:
            shown += [f"-{kind}", *(rest[:1] if kind == "m" else [])]
            return " ".join(shown), options
        rest = rest[word in WITH_VALUE :]
    return " ".join([*shown, *rest[:1]]), options
