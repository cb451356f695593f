"""Sealing a long log by parts: whoever dies on the way leaves whole parts, and the next one goes on behind them.

Columns are written into a draft. Behind each part the disk keeps it, and then a note beside it: how far the log was
read, and how long the draft is. Who goes on holds the draft's lock; where the note and its draft don't fit, or are
somebody else's, a draft is begun anew.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from runlore import _inside
from runlore._ids import new_suffix
from runlore._sharing import open_file
from runlore._streams import file_identity
from runlore.log import frames, liveness
from runlore.log.events import MAX_EVENT_BYTES, Event
from runlore.log.frames import DecodeError, is_int64
from runlore.log.replay import Replay, fields_of, lists_of
from runlore.log.sealing import Columns

SEALED_AT_ONCE = 16 << 20  # bytes of a log; a longer one is sealed by parts of so many
MAX_NOTE_BYTES = 2 * MAX_EVENT_BYTES


class Busy(Exception):
    """Another process seals the log, or the disk has no locks that would tell."""


def seal_parts(log: Path, closing: Event | None, room: int) -> bool:
    """Seal up to `room` bytes more of a log, a part at least; return True if it is not done with.

    When all of it is read, the log is replaced by the sealed file; a damaged one stays. See `seal`.

    Raises:
        Busy: somebody else is at it.
        OSError: the disk is full or read-only; the log is untouched.
        FileNotFoundError: somebody else sealed it.
        FormatError: a newer runlore wrote it.
    """
    store = _inside.store_of(log)
    with _inside.open_binary(log) as source, _opened(log, source, store) as (draft, out, columns):
        if not _add_parts(source, columns, room, lambda: _note(log, source, draft, columns, out)):
            return True
        if columns.are_whole:
            columns.end(source, closing)
            out.flush()
            os.fsync(out.fileno())
            _inside.rename(draft, log.with_suffix(".run"), store)
        else:
            _inside.unlink(draft, store)
        for path in (note_of(log), *([log] if columns.are_whole else [])):
            with suppress(FileNotFoundError):
                _inside.unlink(path, store)
    return False


def note_of(log: Path) -> Path:
    """Return where it is noted how far a log was sealed."""
    return log.with_name(f".{log.stem}.sealing.tmp")


def _add_parts(source: BinaryIO, columns: Columns, room: int, note: Any) -> bool:
    """Write parts of the log as columns and note each; return True if that was the rest."""
    size = os.fstat(source.fileno()).st_size
    replay = columns.replay
    last = replay.offset + max(room, SEALED_AT_ONCE)
    reach = SEALED_AT_ONCE
    while True:
        before = replay.offset
        replay.advance(source, columns.add, until=min(size, before + reach))
        if before + reach >= size:
            return True
        reach = SEALED_AT_ONCE if replay.offset > before else 2 * reach  # in the midst of a large frame
        if replay.offset > before:
            note()
            if replay.offset + SEALED_AT_ONCE // 2 > last:
                return False


@contextmanager
def _opened(log: Path, source: BinaryIO, store: Path) -> Iterator[tuple[Path, BinaryIO, Columns]]:
    """Open the draft of a log where it was left, or a new one, and hold its lock."""
    found = _resumed(log, source, store) or _begun(log, store)
    draft, out, _ = found
    with out:
        try:
            yield found
        except BaseException as error:
            for path in (draft, note_of(log)) if isinstance(error, OSError) else ():  # as where the disk is full
                with suppress(OSError):
                    _inside.unlink(path, store)
            raise


def _begun(log: Path, store: Path) -> tuple[Path, BinaryIO, Columns]:
    """Return a new draft, and its columns, of which there are none yet."""
    draft = log.with_name(f".{log.stem}.{new_suffix(4)}.tmp")
    out = os.fdopen(open_file(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL), "wb")
    if not liveness.hold(out.fileno()):
        out.close()
        _inside.unlink(draft, store)
        raise Busy
    columns = Columns(out, Replay(raw_events=[]))
    columns.begin()
    return draft, out, columns


def _resumed(log: Path, source: BinaryIO, store: Path) -> tuple[Path, BinaryIO, Columns] | None:
    """Return a draft that the note tells of, open behind its last part, and its columns; None without one."""
    try:
        with _inside.open_binary(note_of(log), store) as file:
            if not _is_mine(file) or os.fstat(file.fileno()).st_size > MAX_NOTE_BYTES:
                return None
            note = fields_of(frames.load_json(file.read()), "length")
        draft = _draft_of(log, note.get("draft"))
        if note.get("log") != file_identity(source.fileno()) or draft is None:
            return None
        out = os.fdopen(_inside.open_file(draft, store, os.O_RDWR), "r+b")
    except (OSError, DecodeError):
        return None
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        columns = _columns_of(note, out)
        status = os.fstat(out.fileno())
        is_same = file_identity(out.fileno()) == note.get("file") and _inside.is_regular(draft)
        if not is_same or not _is_mine(out) or status.st_size < note["length"] or draft.stat().st_ino != status.st_ino:
            out.close()  # it was sealed meanwhile, say
            return None
        out.truncate(note["length"])
        out.seek(note["length"])
    except BlockingIOError:
        out.close()
        raise Busy from None
    except (OSError, DecodeError):
        out.close()
        return None
    return draft, out, columns


def _is_mine(file: BinaryIO) -> bool:
    """Return True if a file is this user's, and has no second name."""
    status = os.fstat(file.fileno())
    return status.st_uid == os.geteuid() and status.st_nlink == 1


def _draft_of(log: Path, name: Any) -> Path | None:
    """Return the draft of a log that a note names; None where it names none."""
    good = isinstance(name, str) and "/" not in name and name.startswith(f".{log.stem}.") and name.endswith(".tmp")
    return log.with_name(name) if good else None


def _note(log: Path, source: BinaryIO, draft: Path, columns: Columns, out: BinaryIO) -> None:
    """Have the disk keep a draft, and note how far it is."""
    out.flush()
    os.fsync(out.fileno())
    events = columns.replay.raw_events or []
    note = {
        "draft": draft.name,
        "file": file_identity(out.fileno()),
        "log": file_identity(source.fileno()),
        "length": out.tell(),
        "chunks": columns.chunks,
        "key_sets": list(columns.key_sets),
        "events": [payload.decode() for payload in events],
        "replay": columns.replay.encode(),
    }
    made = log.with_name(f".{log.stem}.{new_suffix(4)}.tmp")
    with os.fdopen(open_file(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
        json.dump(note, file)
    _inside.rename(made, note_of(log), _inside.store_of(log))


def _columns_of(note: dict[str, Any], out: BinaryIO) -> Columns:
    """Return the columns that a note tells of.

    Raises:
        DecodeError: it tells of none.
    """
    chunks, key_sets, events, replay = (
        lists_of(note, "chunks", 2),
        note.get("key_sets"),
        note.get("events"),
        note.get("replay"),
    )
    if not isinstance(key_sets, list) or not all(map(frames.are_texts, key_sets)):
        raise DecodeError("a note has key sets that are none")
    if not all(is_int64(place) and is_int64(number) and 0 <= number < len(key_sets) for place, number in chunks):
        raise DecodeError("a note has blocks that can't be")
    if not frames.are_texts(events) or not isinstance(replay, str):
        raise DecodeError("a note has events that are none")
    columns = Columns(out, Replay.decode(replay))
    if len(columns.replay.events) != len(events or ()):
        raise DecodeError("a note has other events than it was read")
    columns.replay.raw_events = [text.encode() for text in events or ()]
    columns.chunks = [(place, number) for place, number in chunks]
    columns.key_sets = {tuple(keys): number for number, keys in enumerate(key_sets)}
    return columns
