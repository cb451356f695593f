"""Long logs as a process knows them, so that a look at one that grows costs what has come since the last look.

A log is looked at in pieces of a mebibyte. Of each it is kept where it lies, and between which steps, times and epochs
its rows are: who asks for a part of a series reads only the pieces that hold it. Of a series that was asked for, an
outline is kept. Both take little memory, whatever the length of the log.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from runlore._inside import open_binary
from runlore._process import Part, process
from runlore.log.events import MAX_EVENT_BYTES
from runlore.log.points import Block
from runlore.log.replay import Replay

if TYPE_CHECKING:
    from runlore.log.long.outline import Outline, Stretch

LEAST_BYTES = 256 << 10  # of a log that is worth it
PIECE_BYTES = 1 << 20
FREE_BYTES = 8 << 20  # of a log that are read again for more points; of a longer one its half at most
MAX_LOGS = 32  # that are known at a time
KEPT_EVENT_BYTES = 16 << 20  # of a log
MAX_OUTLINES = 256  # of one log
BESIDE = 63  # keys of a key set whose outlines are made with one
MAX_SPANS = 64  # key sets of a piece that are told apart
AXES = ("step", "time", "epoch")

Place = tuple[str, float | None, float | None]  # an axis, and where a part of it begins and ends
Span = tuple[float, ...]  # the lowest and the highest step, time, epoch


class Growths(Part):
    """The long logs that this process has looked at, the last one last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, Growth] = OrderedDict()

    def forget(self) -> None:
        """Know nothing any more."""
        self._lock = threading.Lock()
        self._known = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, path: Path, file: BinaryIO) -> "Growth":
        """Return what is known of a log that is open as `file`."""
        with self._lock:
            found = self._known.pop(path, None)
            if found is None or not found.is_of(file):
                found = Growth(file)
            self._known[path] = found
            while len(self._known) > MAX_LOGS:
                self._known.popitem(last=False)
            return found


class Growth:
    """A log as far as it is known. Threads may share it."""

    def __init__(self, file: BinaryIO) -> None:
        self._identity = _identity(file)
        self._lock = threading.RLock()
        self._replay = Replay()
        self._given_up = False  # True once it can't be known in this way
        self._pieces: list[Piece] = []
        self._outlines: dict[str, Outline] = {}  # that was asked for last comes last

    def is_of(self, file: BinaryIO) -> bool:
        """Return True if it tells of a file, which only may have grown."""
        size = os.fstat(file.fileno()).st_size
        return self._identity == _identity(file) and size >= self._replay.offset

    def replay(self, file: BinaryIO) -> Replay | None:
        """Return how far the log was read, brought up to date; None where it is damaged, or has much besides points.

        Of one that has much besides points as far as the first look went.
        """
        with self._lock:
            left = self._look(file)
            return left or (self._replay.copy() if self._is_plain() else None)

    def stretch(self, file: BinaryIO, key: str, place: Place, most: int, above: float | None) -> "Stretch | None":
        """Return the points of a series that draw it at a place, some beyond its ends included.

        These are all of them, or an outline of about `most` or more. None where points may supersede others: those of
        earlier steps, or those that others have up to the step `above`.
        """
        axis, begin, end = place
        with self._lock:
            self._look(file)
            tally = self._replay.tallies.get(key)
            if tally is None or not tally.exact or not self._is_plain():
                return None
            line = AXES.index(axis)
            outline = self._outline(file, key)
            if above is not None and outline.stretch().step[0] <= above:
                return None
            if outline.width > 1 and outline.count_within(line, begin, end) < most:
                pieces = self._chosen(key, line, begin, end)
                if sum(piece.end - piece.begin for piece in pieces) <= max(FREE_BYTES, self._replay.offset // 2):
                    return self._read_stretch(file, key, pieces) or outline.stretch()
            return outline.stretch()

    def _is_plain(self) -> bool:
        return not (self._given_up or self._replay.broken)

    def _give_up(self) -> None:
        """Keep nothing, and read no more, of a log that is read as a whole each time."""
        self._given_up = True
        self._replay, self._pieces, self._outlines = Replay(), [], {}

    def _look(self, file: BinaryIO) -> Replay | None:
        """Read what was appended, a piece at a time, until damage or too much besides points comes.

        Return what was read before there was too much, to go on there.
        """
        end = os.fstat(file.fileno()).st_size
        room = PIECE_BYTES
        while self._replay.offset < end and not self._given_up:
            before = self._replay.offset
            if not self._pieces or self._pieces[-1].end - self._pieces[-1].begin >= PIECE_BYTES // 2:
                self._pieces.append(Piece(before, self._replay.rows))
            self._replay.advance(file, self._take, until=min(end, before + room))
            self._pieces[-1].end = self._replay.offset
            replay = self._replay
            if replay.damage or replay.orphans:
                self._give_up()
            elif MAX_EVENT_BYTES - replay.room.size > KEPT_EVENT_BYTES:
                self._give_up()
                return replay
            elif replay.offset > before:
                room = PIECE_BYTES
            elif before + room >= end:
                return None  # a frame that is still being written
            else:
                room *= 2
        return None

    def _take(self, block: Block) -> None:
        self._pieces[-1].widen(block)
        self._draw(block, self._outlines)

    def _draw(self, block: Block, outlines: "dict[str, Outline]") -> None:
        for key, values in zip(block.keys, block.values, strict=True):
            if key in outlines:
                outlines[key].add(block.step, block.time, block.epoch, values)

    def _outline(self, file: BinaryIO, key: str) -> "Outline":
        """Return the outline of a series; the first time, those of some keys that were logged with it are made, too."""
        from runlore.log.long.outline import Outline

        if key not in self._outlines:
            (keys,) = [item.keys for item in self._replay.key_sets.values() if key in item.keys][:1]
            place = keys.index(key)
            beside = [other for other in (*keys[place:], *keys[:place]) if other not in self._outlines]
            made = {other: Outline() for other in beside[: BESIDE + 1]}
            for piece in self._pieces:
                if piece.has(made):
                    self._read(file, piece, lambda block: self._draw(block, made))
            self._outlines |= made
        self._outlines[key] = found = self._outlines.pop(key)
        while len(self._outlines) > MAX_OUTLINES:
            del self._outlines[next(iter(self._outlines))]
        return found

    def _chosen(self, key: str, line: int, begin: float | None, end: float | None) -> "list[Piece]":
        """Return the pieces that hold a key's points between two places of an axis, and the next ones beyond."""
        low, high = -float("inf") if begin is None else begin, float("inf") if end is None else end
        pieces = [piece for piece in self._pieces if piece.has((key,))]
        spans = [piece.span(key, line) for piece in pieces]
        inside = [place for place, (first, last) in enumerate(spans) if first <= high and last >= low]
        if not inside:
            return pieces
        before, behind = spans[inside[0]][0] >= low, spans[inside[-1]][1] <= high
        return pieces[max(0, inside[0] - before) : inside[-1] + 1 + behind]

    def _read_stretch(self, file: BinaryIO, key: str, pieces: "list[Piece]") -> "Stretch | None":
        """Return the points of a key in some pieces; None where none of them holds any."""
        import numpy as np

        from runlore.log.long.outline import Stretch

        found: list[Any] = []
        for piece in pieces:
            self._read(file, piece, lambda block: found.extend(block.points((key,))))
        if not found:
            return None
        names = ("step", "value", "time", "epoch")
        return Stretch.of(*(np.concatenate([getattr(points, name) for points in found]) for name in names))

    def _read(self, file: BinaryIO, piece: "Piece", on_block: Callable[[Block], None]) -> None:
        """Read a piece again."""
        replay = Replay()
        replay.offset, replay.rows = piece.begin, piece.row
        replay.key_sets = dict(self._replay.key_sets)
        replay.advance(file, on_block, until=piece.end)


class Piece:
    """A piece of a log: its bytes, the rows before it, and where its rows lie along each axis, by their keys."""

    __slots__ = ("_spans", "begin", "end", "row")

    def __init__(self, begin: int, row: int) -> None:
        self.begin = begin
        self.end = begin
        self.row = row
        self._spans: dict[tuple[str, ...], Span] = {}  # (): of all key sets behind the first ones

    def widen(self, block: Block) -> None:
        """Take rows of the piece."""
        import numpy as np

        keys = block.keys if block.keys in self._spans or len(self._spans) < MAX_SPANS else ()
        known = self._spans.get(keys)
        parts = [np.asarray(column) for column in (block.step, block.time, block.epoch)]
        lows = [float(np.fmin.reduce(part)) for part in parts]
        highs = [float(np.fmax.reduce(part)) for part in parts]
        if known is not None:
            lows = [float(np.fmin(*pair)) for pair in zip(lows, known[:3], strict=True)]
            highs = [float(np.fmax(*pair)) for pair in zip(highs, known[3:], strict=True)]
        self._spans[keys] = (*lows, *highs)

    def has(self, keys: Iterable[str]) -> bool:
        """Return True if the piece may hold points of one of some keys."""
        return () in self._spans or any(key in held for key in keys for held in self._spans)

    def span(self, key: str, line: int) -> tuple[float, float]:
        """Return the ends of the stretch of an axis that holds all of a key's points in the piece."""
        import numpy as np

        spans = np.array([span for keys, span in self._spans.items() if not keys or key in keys])
        return float(np.fmin.reduce(spans[:, line])), float(np.fmax.reduce(spans[:, line + 3]))


def known_replay(path: Path, file: BinaryIO) -> Replay | None:
    """Return how far a log was read, brought up to date, if it is a long one; it is known from then on.

    Raises:
        FormatError: the file is of a newer format.
    """
    return process.part(Growths).of(path, file).replay(file) if _is_long(file) else None


def known_stretch(path: Path, key: str, place: Place, most: int, above: float | None = None) -> "Stretch | None":
    """Return points of a log's series as `Growth.stretch` does; None for a short log, too.

    Raises:
        FileNotFoundError: the log was sealed or removed meanwhile.
    """
    with open_binary(path) as file:
        if not _is_long(file):
            return None
        return process.part(Growths).of(path, file).stretch(file, key, place, most, above)


def _is_long(file: BinaryIO) -> bool:
    return os.fstat(file.fileno()).st_size >= LEAST_BYTES


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
