"""Keep what a program prints, in the process that passes it on."""

import codecs
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runlore.log.folder import Folder
from runlore.plugins.manager import plugins
from runlore.recording.output import KEY_BEGIN, OutputFile, Screen
from runlore.recording.run import Run, attach

if TYPE_CHECKING:
    from runlore.programs.printed import Forms, Printed

MAX_WAITING_BYTES = 8 << 20  # that are printed and not kept yet
END_WAIT_S = 1.0  # for those, when the program has ended


class Recorder:
    """Takes what a program prints, by stream, and keeps it in a file as a person would have seen it.

    Never raises, and nobody waits for it: a thread of its own keeps what it can. What is printed faster than that is
    left out, and told at the end, as is what can't be kept.
    """

    def __init__(self, told: bytes, forms: "Forms | None" = None) -> None:
        path, root, run_id = told.split(b"\0")
        self._numbers = None if forms is None else _Numbers(Path(os.fsdecode(root)), os.fsdecode(run_id), forms)
        self._screens: dict[int, tuple[Callable[[bytes], str], Screen]] = {}
        self._missing: list[str] = []
        self._committed: list[str] = []  # lines of the text that is fed now
        self._file: OutputFile | None = None
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self._left_out = 0
        self._ending = False
        self._thread = threading.Thread(target=self._keep, args=(Path(os.fsdecode(path)),), daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread to be had
            self._missing.append(str(error))
            self._ending = True

    def take(self, number: int, data: bytes) -> None:
        """Take what was written to a stream."""
        with self._changed:
            if self._ending or self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
                self._left_out += len(data)
                return
            self._waiting.append((number, data))
            self._waiting_bytes += len(data)
            self._changed.notify()

    def end(self) -> list[str]:
        """Take no more, and return what could not be kept, and why."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread.ident is None:
            return self._missing
        self._thread.join(END_WAIT_S)
        with self._changed:
            self._left_out += self._waiting_bytes
            self._waiting.clear()
            self._waiting_bytes = 0
        self._thread.join(END_WAIT_S)
        if self._left_out:
            self._missing.append(f"{self._left_out:,} bytes: they were printed faster than they could be kept")
        return self._missing

    def _keep(self, path: Path) -> None:
        try:
            self._file = OutputFile(path, plugins().rewrite_file)
            while (item := self._next()) is not None:
                self._feed(*item)
            for number, (_, screen) in self._screens.items():
                if screen.rest:
                    self._file.append(screen.rest + "\n")
                    if self._numbers is not None:
                        self._numbers.take(number, screen.rest.splitlines())
            self._file.end()
            self._missing += self._file.missing
            if self._numbers is not None:
                self._missing += self._numbers.end()
        except Exception as error:  # what is printed is passed on in any case
            self._missing.append(f"{type(error).__name__}: {error}")

    def _next(self) -> tuple[int, bytes] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if not self._waiting:
                return None
            number, data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            return number, data

    def _feed(self, number: int, data: bytes) -> None:
        assert self._file is not None
        if self._file.is_full and self._numbers is None:
            return
        if number not in self._screens:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            self._screens[number] = (decoder.decode, Screen(self._committed.append))
        decode, screen = self._screens[number]
        screen.feed(decode(data))
        lines, self._committed[:] = list(self._committed), []
        if self._numbers is not None:
            self._numbers.take(number, lines)
        if self._file.is_holding or any(KEY_BEGIN in line for line in lines):
            for line in lines:
                self._file.append(line)
        elif lines:
            self._file.append("".join(lines))  # to mask them together takes a third of the time


class _Numbers:
    """Records numbers of the lines as metrics of the run, in a file of this process. Never raises."""

    def __init__(self, root: Path, run_id: str, forms: "Forms") -> None:
        self._place = (Folder(root), run_id)
        self._forms = forms
        self._printed: dict[int, Printed] = {}  # by stream
        self._run: Run | None = None
        self._missing: list[str] = []

    def take(self, number: int, lines: Sequence[str]) -> None:
        """Take complete lines of a stream."""
        if self._missing:
            return
        if number not in self._printed:
            from runlore.programs.printed import Printed  # late: few programs ask for it

            self._printed[number] = Printed(self._forms)
        try:
            for row in (row for line in lines for row in self._printed[number].rows_of(line)):
                if self._run is None:
                    self._run = attach(*self._place)
                self._run.log_metrics(row.values, row.step, row.epoch)
        except Exception as error:  # what is printed is kept in any case
            self._missing.append(f"its numbers: {type(error).__name__}: {error}")

    def end(self) -> list[str]:
        """Finish, and return what could not be recorded."""
        if self._run is not None:
            self._run.finish()
        return [*self._missing, *{why for printed in self._printed.values() for why in printed.missing()}]
