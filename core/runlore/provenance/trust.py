"""The part of a run's record that carries this user's proof.

Whoever can write a store can write anything into it. A reader opens a file outside the store, or executes something,
only where the record says the same without all that is not proven.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from runlore import _proof
from runlore._inside import open_binary
from runlore.errors import FormatError
from runlore.log import frames
from runlore.log.events import Event, first_of, load_event
from runlore.log.folder import Folder, WriterFile
from runlore.log.frames import DecodeError, FrameReader
from runlore.log.reader import TRAILER, TRAILER_MARK, Content
from runlore.log.record import Record, Writers, build_record

FACTS = ("path", "id", "size", "mtime_ns", "sha256", "pending", "keep", "escaped", "files")  # of a file that is opened


class Proven:
    """The record of a run as it would be without what nothing proves to be this user's; read at first need."""

    def __init__(self, folder: Folder, run_id: str) -> None:
        self._folder = folder
        self._run_id = run_id

    @cached_property
    def _contents(self) -> list[Content]:
        return list(_contents(self._folder, self._run_id))

    @property
    def is_any(self) -> bool:
        """True if some of the run is proven: its files begin with proven openings."""
        return bool(self._contents)

    @cached_property
    def record(self) -> Record:
        """The record of the proven events alone."""
        return build_record(self._folder, self._run_id, Writers(self._contents, []))

    def has(self, artifact: Mapping[str, Any]) -> bool:
        """Return True if an artifact of the whole record stands in this one, too: its file may be opened."""
        return repr(_facts(artifact)) in self._known

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(repr(_facts(item)) for item in self.record.artifacts)

    def tells_all(self, record: Record) -> bool:
        """Return True if this record says the same as the whole one of what is executed when the run is done again."""
        return _executed(self.record) == _executed(record)


def _facts(artifact: Mapping[str, Any]) -> list[Any]:
    return [artifact.get(name) for name in FACTS]


def _executed(record: Record) -> Sequence[Any]:
    """Return the program, its code, packages, variables and data, and what it goes on from."""
    code = [[*_facts(item), item.get("name")] for item in record.artifacts if item.get("kind") == "code"]
    links = [link for link in record.links if link.get("sha256")]
    return record.command, record.parent, record.environment, record.data, code, links


def _contents(folder: Folder, run_id: str) -> Iterator[Content]:
    """Yield the proven events of each file of a run whose opening is proven."""
    try:
        files = folder.files_of(run_id)
    except OSError:
        return
    found = [(item, list(_proven_of(item, run_id))) for item in files]
    included = [event["run"] for _, events in found for event in events if event["type"] == "includes"]
    for item, own in found:
        events = own or [event for other in included for event in _proven_of(item, other)]
        if first_of("open", events) is not None:
            yield Content(item.path, item.ordinal, events, {}, [])


def _proven_of(item: WriterFile, run_id: str) -> Iterator[Event]:
    """Yield the events of a file that are proven to be of a run; none where it can't be read."""
    try:
        yield from _proven_events(item, run_id)
    except (OSError, FormatError):
        return


def _proven_events(item: WriterFile, run_id: str) -> Iterator[Event]:
    with open_binary(item.path) as file:
        start = frames.SIGNATURE_SIZE if item.sealed else frames.SLOT_END
        if item.sealed:
            file.seek(max(0, file.seek(0, 2) - TRAILER.size))
            trailer = file.read(TRAILER.size)
            if trailer.endswith(TRAILER_MARK) and len(trailer) == TRAILER.size:
                start = TRAILER.unpack(trailer)[0]
        for kind, payload in FrameReader(file, start):
            if kind == frames.EVENT and _proof.is_proven(payload, run_id):
                try:
                    yield load_event(payload)
                except DecodeError:
                    continue
