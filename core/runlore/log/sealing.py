"""Sealing: a log that has ended becomes one file of events and columns, and is removed."""

import os
from pathlib import Path
from typing import BinaryIO

from runlore import _inside
from runlore._ids import new_suffix
from runlore._sharing import open_file
from runlore.log import frames
from runlore.log.events import Event
from runlore.log.points import Block
from runlore.log.reader import TRAILER, TRAILER_MARK
from runlore.log.replay import Replay


def seal(log: Path, closing: Event | None = None) -> Path | None:
    """Seal a log and unlink it; return the sealed file, or None where the log is damaged.

    `closing` becomes the last event if the log has no end record. Nobody may write to the log any more. Two processes
    may seal the same log at once: both write the same content, and the last rename wins. A damaged log stays as it is,
    so that no bytes are thrown away that somebody may still be able to read.

    Raises:
        OSError: the disk is full or read-only; the log is untouched.
        FileNotFoundError: somebody else sealed it.
        FormatError: a newer runlore wrote it.
    """
    whole = str(log)
    with _inside.opened(None, whole) as above:
        return _sealed(whole, closing, above)


def _sealed(log: str, closing: Event | None, above: int) -> Path | None:
    """Seal a log in the open folder `above`; see `seal`."""
    folder, _, name = log.removesuffix(".log").rpartition(os.sep)
    target = f"{folder}{os.sep}{name}.run"
    draft = f"{folder}{os.sep}.{name}.{new_suffix(4)}.tmp"
    try:
        made = open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, above=above)
        with os.fdopen(made, "wb") as out, _inside.open_binary(log, above=above) as source:
            columns = Columns(out, Replay(raw_events=[]))
            columns.begin()
            columns.replay.advance(source, columns.add)
            columns.end(source, closing)
            out.flush()
            os.fsync(out.fileno())
        if columns.are_whole:
            _inside.rename(draft, target, above=above)
    except BaseException:
        _inside.drop(draft, above=above)
        raise
    if not columns.are_whole:
        _inside.drop(draft, above=above)
        return None
    _inside.drop(log, above=above)
    return Path(target)


class Columns:
    """The columns of a log on their way into a sealed file: blocks while the log is read, then all the rest."""

    def __init__(self, out: BinaryIO, replay: Replay) -> None:
        self.replay = replay  # which keeps the payloads of events
        self.chunks: list[tuple[int, int]] = []  # the place of each block, and its key set
        self.key_sets: dict[tuple[str, ...], int] = {}
        self._out = out

    def begin(self) -> None:
        """Write what a sealed file begins with."""
        self._out.write(frames.signature(frames.SEALED_SIGNATURE))

    def add(self, block: Block) -> None:
        """Write a block."""
        self.chunks.append((self._out.tell(), self.key_sets.setdefault(block.keys, len(self.key_sets))))
        self._out.write(frames.frame(frames.COLUMNS, block.encode()))

    @property
    def are_whole(self) -> bool:
        """True if nothing of the log was damaged, as far as it was read."""
        return not (self.replay.damage or self.replay.orphans or self.replay.broken)

    def end(self, source: BinaryIO, closing: Event | None) -> None:
        """Write events, footer and trailer, behind all blocks."""
        replay, out = self.replay, self._out
        events = replay.raw_events or []
        positions = [position for position, _ in replay.events]
        if closing is not None and replay.end is None:
            events = [*events, frames.dump_json(closing)]
            positions.append(replay.rows)
        start = out.tell()
        for payload in events:
            out.write(frames.frame(frames.EVENT, payload))
        footer = {
            "rows": replay.rows,
            "positions": positions,
            "key_sets": list(self.key_sets),
            "chunks": self.chunks,
            "tallies": {key: tally.encode() for key, tally in replay.tallies.items()},
            "damage": [[item.offset, item.length] for item in replay.damage],
            "orphans": replay.orphans,
            "torn": replay.tail,
            "log_bytes": source.seek(0, os.SEEK_END),
        }
        footer_at = out.tell()
        out.write(frames.frame(frames.FOOTER, frames.dump_json(footer)))
        out.write(TRAILER.pack(start, footer_at, TRAILER_MARK))
