"""Pass on what a program prints, byte for byte, and let its run keep it.

A process of its own reads what the program writes, writes it to where it would have gone, and hands it to the record.
Where the output is a terminal, the program gets another one of the same size, so that it finds what it would find
without us; one stream for both where stdout and stderr are the same, so that their order stays. The process goes on for
what outlives the program (a daemon), when nobody waits for it any more.

It is the witness of signals, too: it belongs to the program's group, and tells which signals arrive there.
"""

import contextlib
import fcntl
import os
import select
import signal
import termios
import threading
import time
import tty
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

BLOCK = 1 << 16
STDIN, STDOUT, STDERR = 0, 1, 2
SPREAD_S = 0.002  # a signal for a group reaches its processes one after the other
ANSWERED_WITHIN_S = 5.0  # the witness, unless somebody has killed or stopped it
ASKED = signal.SIGRTMAX  # by which the witness is asked; of several signals that wait it is told last
NOBODY = 0  # in place of a signal: the answer
MAX_WAITING = 100  # blocks that wait for the record to be opened
MAX_ANSWER = 2000
IMPATIENCE_S = 0.2  # between looks at signals while output is passed on that nobody takes


class Sink(Protocol):
    """Takes what a program prints, in the process of the relay. Does not raise."""

    def take(self, number: int, data: bytes) -> None:
        """Take what was written to a stream."""

    def end(self) -> list[str]:
        """Take no more, and return what could not be kept."""


class Stream(NamedTuple):
    """One way of a program's output: where it is read, and where it goes on."""

    source: int
    target: int


class Terminal:
    """The terminal that a program has in the place of the real one."""

    def __init__(self, source: int, real: int) -> None:
        self._source = source
        self._real = real
        self.copy_size()

    def copy_size(self) -> None:
        """Give it the size of the real one."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self._real, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self._source, termios.TIOCSWINSZ, size)


class Relay:
    """The process between a program and its output.

    Make it before the program is started and before this process has threads. `file_actions` are for `os.posix_spawn`;
    `terminal` is None where no output of the program goes to one. In the process, `opened` gets the bytes that are
    given to `record_into`, and returns what takes the output.

    Raises:
        OSError: no descriptor, terminal or process is to be had.
    """

    def __init__(self, opened: Callable[[bytes], Sink]) -> None:
        self.file_actions: list[tuple[int, ...]] = []
        self.terminal: Terminal | None = None
        self.missing: list[str] = []  # what could not be kept, once it is drained
        self._ends: list[int] = []  # the program's, to be closed here once it is started
        streams = [self._redirected(numbers) for numbers in _outputs()]
        (orders, self._orders), (self._answers, answers), (self._witnessed, witnessed) = _pipe(), _pipe(), _pipe()
        self._process = os.fork()
        if not self._process:
            try:
                for number in (self._orders, self._answers, self._witnessed, *self._ends):
                    os.close(number)
                _close_others({orders, answers, witnessed, *(number for stream in streams for number in stream)})
                with contextlib.suppress(RuntimeError):  # no thread to be had: signals for the group come twice
                    threading.Thread(target=_witness, args=(witnessed,), daemon=True).start()
                _Relaying(streams, orders, answers, opened).run()
            finally:
                os._exit(0)
        for number in (orders, answers, witnessed):
            os.close(number)
        if self.terminal is None:
            for stream in streams:
                os.close(stream.source)
        os.set_blocking(self._witnessed, False)
        self._told: set[int] = set()  # signals for the group that nobody has asked about yet

    def record_into(self, told: bytes) -> None:
        """Tell the process where the record is."""
        self._order(b"r" + len(told).to_bytes(4, "big") + told)

    def started(self) -> None:
        """Let go of what is the program's now: of its ends of the streams, and of ours of stdin and stdout."""
        for end in self._ends:
            os.close(end)
        self._ends.clear()
        with contextlib.suppress(OSError):  # no descriptor is left
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for number in (STDIN, STDOUT):  # whoever writes or reads there waits for the program alone
                if nothing != number:
                    os.dup2(nothing, number)
            if nothing > STDERR:
                os.close(nothing)

    def has_witnessed(self, number: int) -> bool:
        """Return True if a signal that has just arrived here was one for the whole group.

        The witness is asked, and tells all signals that have arrived before it answers, however busy the machine is.
        To be called for each signal, so that none is taken for a later one. Signals that wait here together may be
        asked about in another order than they were sent in: what the witness tells of the others is kept for them.
        """
        time.sleep(SPREAD_S)
        with contextlib.suppress(OSError):  # it was killed
            os.kill(self._process, ASKED)
        until = time.monotonic() + ANSWERED_WITHIN_S
        while (left := until - time.monotonic()) > 0 and select.select([self._witnessed], [], [], left)[0]:
            told = os.read(self._witnessed, 1)
            if not told or told[0] == NOBODY:
                break
            self._told.add(told[0])
        found = number in self._told
        self._told.discard(number)
        return found

    def drain(self, until: Callable[[], bool]) -> None:
        """Wait until all that the program has written is passed on and recorded, or `until` says that it is enough."""
        self._order(b"d")
        while not select.select([self._answers], [], [], IMPATIENCE_S)[0]:
            if until():
                return
        size = int.from_bytes(_read_all(self._answers, 4), "big")
        self.missing = _read_all(self._answers, size).decode().splitlines()

    def _order(self, text: bytes) -> None:
        with contextlib.suppress(OSError):  # it was killed
            os.write(self._orders, text)

    def _redirected(self, numbers: Sequence[int]) -> Stream:
        """Put a terminal or a pipe in the place of outputs that are one and the same."""
        target = numbers[0]
        if os.isatty(target):
            source, end = map(_above_streams, os.openpty())
            tty.setraw(end)  # what passes here is changed on its way out, by the settings of the real one
            self.terminal = Terminal(source, _copy(target))
        else:
            source, end = _pipe()
        self._ends.append(end)
        self.file_actions += [(os.POSIX_SPAWN_DUP2, end, number) for number in numbers]
        return Stream(source, target)


class _Relaying:
    """Runs in the process of the relay: passes output on until all who may write have gone."""

    def __init__(self, streams: Sequence[Stream], orders: int, answers: int, opened: Callable[[bytes], Sink]) -> None:
        self._targets = {stream.source: stream.target for stream in streams}
        self._orders: int | None = orders
        self._answers = answers
        self._opened = opened
        self._sink: Sink | None = None
        self._waiting: list[tuple[int, bytes]] | None = []  # for the record to be opened

    def run(self) -> None:
        """Pass on and obey until the streams and the orders have ended."""
        while self._targets or self._orders is not None:
            for source in self._ready([] if self._orders is None else [self._orders], None):
                self._pass_on(source)

    def _ready(self, others: list[int], timeout: float | None) -> list[int]:
        """Return the sources where there is something to read; obey first."""
        found = select.select([*self._targets, *others], [], [], timeout)[0]
        if self._orders in found:
            self._obey(self._orders)
        return [source for source in found if source in self._targets]

    def _obey(self, orders: int) -> None:
        match os.read(orders, 1):
            case b"r":
                size = int.from_bytes(_read_all(orders, 4), "big")
                self._sink = self._opened(_read_all(orders, size))
                for number, data in self._waiting or ():
                    self._sink.take(number, data)
                self._waiting = None
            case b"d":
                while ready := self._ready([], 0):
                    for source in ready:
                        self._pass_on(source)
                lost = "\n".join(self._sink.end()).encode()[:MAX_ANSWER] if self._sink is not None else b""
                self._sink = self._waiting = None
                with contextlib.suppress(OSError):
                    os.write(self._answers, len(lost).to_bytes(4, "big") + lost)
            case _:
                self._orders = None

    def _pass_on(self, source: int) -> None:
        target = self._targets[source]
        try:
            data = os.read(source, BLOCK)
        except OSError:  # of a terminal that nobody holds any more
            data = b""
        if data and _write_all(target, data):
            if self._sink is not None:
                self._sink.take(target, data)
            elif self._waiting is not None and len(self._waiting) < MAX_WAITING:
                self._waiting.append((target, data))
            return
        del self._targets[source]
        os.close(source)  # who writes learns that nobody reads, as without us
        os.close(target)  # who reads learns that nobody writes


def _witness(told: int) -> None:
    """Tell, for ever, which signals arrive; answer where the process that has forked this one asks."""
    asks = os.getppid()
    while True:
        found = signal.sigwaitinfo(signal.valid_signals())
        answers = found.si_signo == ASKED and found.si_pid == asks
        with contextlib.suppress(OSError):  # nobody wants to know any more
            os.write(told, bytes([NOBODY if answers else found.si_signo]))


def _outputs() -> list[list[int]]:
    """Return the output streams that are open, those that are the same together."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number in (STDOUT, STDERR):
        with contextlib.suppress(OSError):  # it is closed
            status = os.fstat(number)
            found.setdefault((status.st_dev, status.st_ino, status.st_rdev), []).append(number)
    return list(found.values())


def _pipe() -> tuple[int, int]:
    first, second = os.pipe()
    return _above_streams(first), _above_streams(second)


def _above_streams(descriptor: int) -> int:
    """Return another number for a descriptor than those of the standard streams, where some of these are closed."""
    if descriptor > STDERR:
        return descriptor
    found = _copy(descriptor)
    os.close(descriptor)
    return found


def _copy(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, STDERR + 1)


def _close_others(kept: set[int]) -> None:
    """Close all descriptors but some, so that whoever waits for their end waits for the program alone."""
    with contextlib.suppress(OSError):  # not Linux, or no descriptor is left to look with
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept:
                with contextlib.suppress(OSError):  # the listing's own
                    os.close(int(name))


def _write_all(descriptor: int, data: bytes) -> bool:
    """Write everything, and wait where there is no room; False if nobody reads it."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return False
    return True


def _read_all(descriptor: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        block = os.read(descriptor, size - len(found))
        if not block:
            break
        found += block
    return found
