"""Record what a process prints, as text in which redrawn progress bars stand once; hold back what we make it print."""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from runlore._inside import drop
from runlore._process import Part, process
from runlore._sharing import open_file
from runlore._streams import to_stay_open
from runlore._text import with_article
from runlore._threads import acting_for, watched
from runlore.hookspecs import CapturedFile
from runlore.log.folder import place_of
from runlore.plugins.manager import is_rewriting

MAX_BYTES = 32 << 20  # of output that are kept of a run
MAX_LINE_CHARS = 1 << 16
MAX_KEY_LINES = 200  # of a private key that are held back until its end
ARTIFACT_NAME = "output.log"
WINDOW_LINES = 40  # that a program may go up to redraw them

CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|([\r\n\b])")
KEY_BEGIN, KEY_END = "-----BEGIN ", "-----END "


class Screen:
    """Turns what is sent to a terminal into lines: after `\\r` or a way up, later text replaces earlier text.

    `commit` gets lines that can't change any more; `rest` are the others.
    """

    def __init__(self, commit: Callable[[str], None]) -> None:
        self._commit = commit
        self._lines = [""]
        self._row = self._column = 0
        self._window = 0  # grows when a program first goes up

    def feed(self, text: str) -> None:
        """Take text that was written."""
        place = 0
        for found in CONTROL.finditer(text):
            self._put(text[place : found.start()])
            place = found.end()
            if found[3]:
                self._move(found[3])
            elif found[2]:
                self._control(found[2], found[1])
        self._put(text[place:])
        while len(self._lines) - 1 > self._window:
            self._commit(self._lines.pop(0) + "\n")
            self._row = max(0, self._row - 1)

    @property
    def rest(self) -> str:
        """The lines that may still change."""
        return "\n".join(self._lines).rstrip("\n")

    def _put(self, text: str) -> None:
        if text:
            line = self._lines[self._row]
            line = line.ljust(self._column)[: self._column] + text + line[self._column + len(text) :]
            self._lines[self._row] = line if len(line) <= MAX_LINE_CHARS else f"{line[: MAX_LINE_CHARS - 1]}…"
            self._column = min(self._column + len(text), MAX_LINE_CHARS)

    def _move(self, char: str) -> None:
        if char == "\n":
            self._row += 1
            self._column = 0
            if self._row == len(self._lines):
                self._lines.append("")
        else:
            self._column = 0 if char == "\r" else max(0, self._column - 1)

    def _control(self, kind: str, argument: str) -> None:
        count = int(argument) if argument.isdecimal() else 1
        if kind == "A":
            self._window = WINDOW_LINES
            self._row = max(0, self._row - count)
        elif kind == "B":
            for _ in range(min(count, WINDOW_LINES)):
                column = self._column
                self._move("\n")
                self._column = column
        elif kind == "K" and argument in ("", "0"):
            self._lines[self._row] = self._lines[self._row][: self._column]
        elif kind == "K":
            self._lines[self._row] = "" if argument == "2" else self._lines[self._row]


class OutputFile:
    """Keeps lines of output in a file, so that those of a killed process remain; each passes `rewrite`, which masks it.

    Raises:
        OSError: the file can't be made.
    """

    name = ARTIFACT_NAME

    def __init__(self, path: Path, rewrite: Callable[[CapturedFile], CapturedFile]) -> None:
        self.path = path
        self.missing: list[str] = []
        self._rewrite = rewrite
        self._file = FileIO(to_stay_open(open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)), "r+")
        self._size = 0
        self._held: list[str] = []  # lines of a private key that has not ended

    @property
    def is_full(self) -> bool:
        """True once nothing more is kept."""
        return self._size >= MAX_BYTES

    @property
    def is_holding(self) -> bool:
        """True while lines wait for the end of a private key."""
        return bool(self._held)

    def append(self, line: str) -> None:
        """Write a complete line, or several that have no part of a private key.

        Those of a private key wait for its end, so that they are masked together.
        """
        self._held.append(line)
        if KEY_BEGIN in self._held[0] and KEY_END not in line and len(self._held) < MAX_KEY_LINES:
            return
        self._release()

    def end(self) -> bytes:
        """Write what was held back, close the file, and return the whole text.

        Raises:
            OSError: it can't be read back.
        """
        self._release()
        with self._file as file:
            self.path = place_of(file.fileno(), self.path) or self.path
            file.seek(0)
            return file.read()

    def remove(self) -> None:
        """Remove the file, once its content is kept elsewhere; its folder may have been renamed."""
        drop(self.path)

    def _release(self) -> None:
        text, self._held = "".join(self._held), []
        if not text or self.is_full:
            return
        data = self._rewrite(CapturedFile(ARTIFACT_NAME, text.encode("utf-8", "replace"), "log")).content
        self._size += len(data)
        if self.is_full:
            data += f"… the rest is left out: more than {MAX_BYTES >> 20} MiB\n".encode()
            self.missing.append(f"more than {MAX_BYTES >> 20} MiB of output: the rest is left out")
        self._file.write(data)


class Output(OutputFile):
    """Records what goes through `sys.stdout` and `sys.stderr`, from its construction to `stop`.

    The streams stay the same objects and print as ever. Threads may print at once. What C code or a child process
    writes is not seen.

    Raises:
        OSError: the file can't be made.
    """

    def __init__(self, path: Path, rewrite: Callable[[CapturedFile], CapturedFile]) -> None:
        super().__init__(path, rewrite)
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._screens: list[Screen] = []
        self._wrapped: list[tuple[Any, Any]] = []
        self._busy = False  # with recording; what it prints itself is not recorded
        self._stopped = False
        streams = [sys.stdout] if sys.stdout is sys.stderr else [sys.stdout, sys.stderr]
        for stream in streams:
            self._wrap(stream)

    def stop(self) -> bytes:
        """End the recording, restore the streams, and return the whole text.

        Raises:
            OSError: it can't be read back.
        """
        self._stopped = True
        for stream, ours in self._wrapped:
            with suppress(AttributeError, TypeError):
                if vars(stream).get("write") is ours:  # else somebody wrapped ours, and it passes text on
                    _take_off(stream)
        with self._lock:
            for screen in self._screens:
                if screen.rest:
                    self.append(screen.rest + "\n")
            self._screens.clear()
            return self.end()

    def _wrap(self, stream: Any) -> None:
        write = getattr(stream, "write", None)
        if write is None:
            return  # no stdout at all
        screen = Screen(self.append)

        def recorded_write(text: str, *args: Any, **kwargs: Any) -> Any:
            result = write(text, *args, **kwargs)
            if not self._stopped and os.getpid() == self._owner:  # a forked child may never get our lock
                self._take(screen, text)
            return result

        try:
            recorded_write.runlore_output = (self, vars(stream).get("write"))  # type: ignore[attr-defined]
            stream.write = recorded_write
        except Exception as error:  # the stream may be anybody's
            self.missing.append(f"{with_article(type(stream).__name__)} does not let its output be seen: {error}")
            return
        self._screens.append(screen)
        self._wrapped.append((stream, recorded_write))

    def _take(self, screen: Screen, text: str) -> None:
        if is_rewriting():  # of what may be our own text: the thread that waits holds the lock
            return
        try:
            with self._lock:
                if self._busy or self._stopped:
                    return
                self._busy = True
                try:
                    screen.feed(text)
                finally:
                    self._busy = False
        except Exception as error:  # it was printed, which is all that the caller may notice
            self.missing.append(f"some output can't be kept: {type(error).__name__}: {error}")
            self._stopped = True


def _take_off(stream: Any) -> None:
    """Restore the `write` that our wrappers replaced, of those that have ended; one of somebody else stays."""
    found = vars(stream).get("write")
    while found is not None and hasattr(found, "runlore_output") and found.runlore_output[0]._stopped:
        found = found.runlore_output[1]
    if found is None:
        del stream.write
    else:
        stream.write = found


class _Holding:
    """A stream's `write` that prints nothing of the threads that are held, and passes on what others print."""

    def __init__(self, stream: Any, threads: list[int]) -> None:
        self.stream = stream
        self._stopped = False
        write, before = stream.write, vars(stream).get("write")

        def held_write(text: str, *args: Any, **kwargs: Any) -> Any:
            if threads and not self._stopped and acting_for() in threads:
                return len(text)
            return write(text, *args, **kwargs)

        held_write.runlore_output = (self, before)  # type: ignore[attr-defined]
        stream.write = held_write

    def stop(self) -> None:
        """Restore the stream; where somebody has wrapped ours, it passes text on."""
        self._stopped = True
        with suppress(AttributeError, TypeError):
            _take_off(self.stream)


class _Held(Part):
    """The threads whose output is held back, and the streams whose `write` is replaced meanwhile."""

    inherited = True

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._threads: list[int] = []
        self._holding: list[_Holding] = []

    def enter(self, thread: int) -> None:
        """Hold a thread's output back, also where the streams are others than those that are held already."""
        with self._lock:
            self._threads.append(thread)
            for stream in (sys.stdout, sys.stderr):
                if hasattr(stream, "write") and not any(item.stream is stream for item in self._holding):
                    with suppress(Exception):  # the stream may be anybody's: it prints on
                        self._holding.append(_Holding(stream, self._threads))

    def leave(self, thread: int) -> None:
        """Let a thread print again."""
        with self._lock:
            self._threads.remove(thread)
            while self._holding and not self._threads:
                self._holding.pop().stop()

    def forget(self) -> None:
        """Let go of the parent's other threads."""
        self._lock = threading.RLock()
        self._threads[:] = [ident for ident in self._threads if ident == threading.get_ident()]
        while self._holding and not self._threads:
            self._holding.pop().stop()


@contextmanager
def without_output() -> Iterator[None]:
    """Hold back what this thread, and those that it starts, print in the block by `sys.stdout` and `sys.stderr`."""
    held = process.part(_Held)
    with watched() as thread:
        held.enter(thread)
        try:
            yield
        finally:
            held.leave(thread)
