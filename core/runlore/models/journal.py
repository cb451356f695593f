"""The files of a model: each process that changes it has one of its own, and all of them together are the model."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from runlore import _ids, _inside
from runlore._inside import OddFile, open_binary
from runlore._process import Part, process
from runlore._sharing import make_folder, open_file
from runlore.errors import FormatError
from runlore.log import frames
from runlore.log.events import Event, Room, event_frame
from runlore.log.folder import Folder
from runlore.log.frames import DecodeError, FrameReader, fault_text
from runlore.log.liveness import STALE_S
from runlore.models.events import SCHEMA, check_model_event
from runlore.models.names import folder_name, is_folder_name

SIGNATURE = b"RLMOD\0"
SUFFIX = ".log"
MAX_FOLDERS = 10_000  # of models, and of files of one, that are read
MAX_EVENTS = 200_000  # of one model
MAX_BYTES = 256 << 20  # of the events of one model
MAX_COMPLAINTS = 10_000  # about one
AHEAD_US = 366 * 86_400_000_000  # of this machine's clock; an event that is said to be later would win for ever
LOCK_S = 1.0  # that a writer waits for another one; then both may number a version alike, which readers tell apart


class Complaints(list[str]):
    """Holds what could not be read, each in a sentence; where there is much, the last one stands for all others."""

    def tell(self, *found: str) -> None:
        """Add sentences."""
        self.extend(found[: MAX_COMPLAINTS - len(self)])
        if len(self) == MAX_COMPLAINTS:
            self[-1] = "there is more damage than is told"


class Journal(NamedTuple):
    """The events of a model, in no order, and what of its files could not be read."""

    events: list[Event]
    damage: Complaints


class Beginning(NamedTuple):
    """The beginning of a file that was read already: which file, how far, and what was found.

    `rest` says what stands behind it, if nobody is writing that any more.
    """

    inode: int
    offset: int
    found: Journal
    rest: str = ""


class OwnFiles(Part):
    """The files that this process writes, by the folder of their model. A forked child begins its own.

    `known` is what it has read of the models that it writes: each change costs what has come since the one before.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.paths: dict[Path, Path] = {}
        self.known: dict[Path, Beginning] = {}


def read_journal(folder: Folder, name: str) -> Journal:
    """Return what is recorded of a model; nothing where there is no such model."""
    return _read(folder, folder.models / folder_name(name))


def read_journals(folder: Folder) -> Iterator[Journal]:
    """Yield what is recorded of each model of a store; folders that are none's are passed over."""
    try:
        names = sorted(filter(is_folder_name, _inside.list_folders(folder.models, folder.root)))
    except (FileNotFoundError, OddFile):
        return
    except OSError as error:
        yield Journal([], Complaints([f"models: {error.strerror or error}"]))
        return
    for name in names[:MAX_FOLDERS]:
        yield _read(folder, folder.models / name)
    if len(names) > MAX_FOLDERS:
        yield Journal([], Complaints([f"models: {len(names):,} folders, of which {MAX_FOLDERS:,} are read"]))


def append(folder: Folder, name: str, make: Callable[[Journal], list[Event]]) -> list[Event]:
    """Write events of a model, each with one call, to this process's file; `make` is given what is recorded so far.

    They are on the disk when this returns.

    Raises:
        OSError: the store can't be written; nothing is recorded then.
        RunloreError: whatever `make` raises.
    """
    own = process.part(OwnFiles)
    place = folder.models / folder_name(name)
    with own.lock:
        folder.create()
        make_folder(place, folder.root)
        with _turn(place, folder.root):
            events = make(_read(folder, place, own.known))
            data = b"".join(map(event_frame, events))
            if not data:
                return events
            known = own.paths.get(place)
            try:
                if known is None:
                    raise FileNotFoundError
                _extend(known, folder.root, data)
            except FileNotFoundError:  # or somebody has removed it
                own.paths[place] = _create(place, folder.root, data)
    return events


def _extend(path: Path, root: Path, data: bytes) -> None:
    """Append data to a file of this process, all or nothing."""
    descriptor = open_file(path, os.O_WRONLY | os.O_APPEND, root)
    try:
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _create(place: Path, root: Path, data: bytes) -> Path:
    """Create a file whole, by a rename; return its path."""
    path = place / f"{_ids.new_run_id(time.time_ns() // 1000)}{SUFFIX}"
    draft = place / f".{path.stem}.tmp"
    with _inside.folder(place, root) as above:
        descriptor = open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, root, above=above)
        try:
            whole = frames.signature(SIGNATURE) + data
            try:
                if os.write(descriptor, whole) != len(whole):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            _inside.rename(draft, path, root, above=above)
        except BaseException:
            _inside.drop(draft, root, above=above)
            raise
    return path


@contextmanager
def _turn(place: Path, root: Path) -> Iterator[None]:
    """Let one writer at a time read and write a model, as far as the disk knows locks and nobody holds one for long."""
    descriptor = -1
    with suppress(OSError):
        descriptor = open_file(place / ".lock", os.O_RDWR | os.O_CREAT, root)
    try:
        end = time.monotonic() + LOCK_S
        while descriptor >= 0 and time.monotonic() < end:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:  # a disk without locks
                break
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _read(folder: Folder, place: Path, known: dict[Path, Beginning] | None = None) -> Journal:
    """Return what is recorded in a folder; with what is `known` of its files, which is brought up to date."""
    found = Journal([], Complaints())
    try:
        names = sorted(name for name in _inside.list_names(place, folder.root) if _is_log(name))
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        found.damage.tell(f"{place.name}: {error.strerror or error}")
        return found
    room = Room(MAX_EVENTS, MAX_BYTES, check_model_event)
    for name in names[:MAX_FOLDERS]:
        path = place / name
        try:
            read = _read_file(path, folder.root, room, None if known is None else known.get(path))
            found.events.extend(read.found.events)
            found.damage.tell(*read.found.damage, *filter(None, [read.rest]))
            if known is not None:
                known[path] = read
        except FileNotFoundError:  # removed meanwhile
            continue
        except (OSError, FormatError) as error:
            found.damage.tell(f"{place.name}/{name}: {fault_text(error)}")
    if len(names) > MAX_FOLDERS:
        found.damage.tell(f"{place.name}: {len(names):,} files, of which {MAX_FOLDERS:,} are read")
    return found


def _is_log(name: str) -> bool:
    return name.endswith(SUFFIX) and _ids.is_run_id(name.removesuffix(SUFFIX))


def _read_file(path: Path, root: Path, room: Room, known: Beginning | None) -> Beginning:
    """Return what is in a file, of which a beginning may be known.

    A frame at its end that is not whole may still be being written, but not for long.
    """
    told = f"{path.parent.name}/{path.name}"
    with open_binary(path, root) as file:
        status = os.fstat(file.fileno())
        if known is not None and (status.st_ino != known.inode or status.st_size < known.offset):
            known = None
        found = Journal([], Complaints()) if known is None else known.found
        if known is None and not frames.check_signature(file.read(frames.SIGNATURE_SIZE), SIGNATURE, told):
            found.damage.tell(f"{told}: no file of a model")
            return Beginning(-1, 0, found)
        reader = FrameReader(file, frames.SIGNATURE_SIZE if known is None else known.offset)
        for kind, payload in reader:
            if kind != frames.EVENT:
                continue
            try:
                event = room.load(payload)
                if "model" in event and folder_name(str(event["model"])) != path.parent.name:
                    raise DecodeError(f"it is of another model, {str(event['model'])[:100]!r}")
                if event["type"] in SCHEMA and event["order"] > time.time_ns() // 1000 + AHEAD_US:
                    raise DecodeError("it is said to be more than a year later than this machine's clock")
                found.events.append(event)
            except DecodeError as error:
                found.damage.tell(f"{told}, before byte {reader.offset}: {error}")
                reader.check_in_vain()
        found.damage.tell(*(f"{told}, bytes {item.offset} to {item.offset + item.length}" for item in reader.damage))
        is_cut = reader.tail and time.time() - status.st_mtime > STALE_S
        rest = f"{told} ends within an event, behind byte {reader.offset}: what followed is lost" if is_cut else ""
        return Beginning(status.st_ino, reader.offset, found, rest)
