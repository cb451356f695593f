"""Keep what a program prints, in the process that passes it on."""

import codecs
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from runlore.plugins.manager import plugins
from runlore.recording.output import KEY_BEGIN, OutputFile, Screen

MAX_WAITING_BYTES = 8 << 20  # that are printed and not kept yet
END_WAIT_S = 1.0  # for those, when the program has ended


class Recorder:
    """Takes what a program prints, by stream, and keeps it in a file as a person would have seen it.

    Never raises, and nobody waits for it: a thread of its own keeps what it can. What is printed faster than that is
    left out, and told at the end, as is what can't be kept.
    """

    def __init__(self, path: bytes) -> None:
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
            for _, screen in self._screens.values():
                if screen.rest:
                    self._file.append(screen.rest + "\n")
            self._file.end()
            self._missing += self._file.missing
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
        if self._file.is_full:
            return
        if number not in self._screens:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            self._screens[number] = (decoder.decode, Screen(self._committed.append))
        decode, screen = self._screens[number]
        screen.feed(decode(data))
        lines, self._committed[:] = list(self._committed), []
        if self._file.is_holding or any(KEY_BEGIN in line for line in lines):
            for line in lines:
                self._file.append(line)
        elif lines:
            self._file.append("".join(lines))  # to mask them together takes a third of the time
