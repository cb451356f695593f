"""Files that a script has read: inputs in the lineage of its run, by path, size and a hash of the content."""

import os
from pathlib import Path

from runlore._settings import present_folder
from runlore.artifacts.events import extent, hashed
from runlore.guest.files.written import Proceed
from runlore.hookspecs import DataDescription
from runlore.log.events import Event
from runlore.plugins.data import MAX_HASHED_BYTES
from runlore.recording.run import Run

MAX_IN_FOLDER = 20  # files that are told each by itself; more are counted
MAX_FILES = 200  # likewise, of a run
MAX_SEEN = 20_000  # whose paths are remembered


class InputFiles:
    """The files that one run has read. `note` may be called by any thread, `look` and `settle` by one at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: dict[str, tuple[str, str]] = {}  # by path its name, and what has read it
        self._seen: set[str] = set()
        self._in_folder: dict[str, int] = {}
        self._told = 0
        self._counted: set[str] = set()  # folders whose number of files is to be told
        self._more: set[str] = set()  # folders with files that were not counted

    def __contains__(self, path: str) -> bool:
        return path in self._seen

    def note_again(self, path: str, reader: str) -> None:
        """Note that the call of `reader` has read a file, too: within it, others may have opened it before."""
        waits = self._waiting.get(path)
        if waits is not None:
            self._waiting[path] = waits[0], reader

    def note(self, path: str, reader: str) -> None:
        """Note that a file was read, by a function."""
        folder = os.path.dirname(path)  # noqa: PTH120  # a string: called for each file of a large folder
        if len(self._seen) >= MAX_SEEN:
            self._more.add(folder)
            return
        self._seen.add(path)
        count = self._in_folder[folder] = self._in_folder.get(folder, 0) + 1
        if count > MAX_IN_FOLDER or self._told >= MAX_FILES:
            self._counted.add(folder)
        else:
            self._told += 1
            self._waiting[path] = _name_of(path), reader

    def look(self, proceed: Proceed) -> None:
        """Record what was read since the last look."""
        for path, (name, reader) in list(self._waiting.items()):
            self._record(Path(path), name, reader, proceed)
            self._waiting.pop(path, None)

    def settle(self, proceed: Proceed) -> None:
        """Record what is left as the run ends."""
        self.look(proceed)
        for folder in sorted(self._counted | self._more):
            facts = {"files": self._in_folder.get(folder, 0), **({"more": True} if folder in self._more else {})}
            self._run.log_data(_name_of(folder), kind="folder", path=folder, **facts)
        self._counted.clear()
        self._more.clear()

    def _record(self, path: Path, name: str, reader: str, proceed: Proceed) -> None:
        try:
            size, _ = extent(path)
            found = self._hashed(path, proceed) if size <= MAX_HASHED_BYTES else {}
        except OSError:  # gone by now, or a pipe: what was read can't be told
            return
        more: dict[str, object] = {"path": str(path), "read_by": reader, "shape": None, "dtypes": None}
        more |= {"files": len(found["files"])} if "files" in found else {}
        kind = "folder" if path.is_dir() else "file"
        description = DataDescription(kind, (), [], size_bytes=size, fingerprint=found.get("sha256"), more=more)
        self._run.log_data(name, description)

    def _hashed(self, path: Path, proceed: Proceed) -> Event:
        return hashed(path, proceed) if path.is_dir() else {"sha256": self._run.run_log.blobs.hash_file(path, proceed)}


def _name_of(path: str) -> str:
    """Return a path as it is seen from the folder that the process works in now, if it lies below."""
    return path.removeprefix(f"{str(present_folder()).rstrip(os.sep)}{os.sep}")
