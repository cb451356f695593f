"""Files that a script has written: each path is one artifact of the run, of its newest content."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runlore._ids import new_suffix
from runlore._settings import CHECKPOINTS, choice
from runlore._warnings import valid_or
from runlore.artifacts.events import extent, hashed, kept_or_hashed
from runlore.log.events import Event
from runlore.plugins.manager import plugins
from runlore.recording.run import Run

Place = tuple[int | None, float | None]  # step and epoch of a training

SMALL_BYTES = 1 << 20  # of a file that is kept at once; a larger one is when the run ends
MAX_KEPT_BYTES = 100 << 20  # of a file, and of the older ones of a series of models
MAX_FILES = 1000  # of a run
MAX_PICTURES = 200  # of these
PICTURE = "image"  # the kind of one that is no figure
MODELS = ("model", "checkpoint")  # kinds that the setting `checkpoints` is about
ID_DIGITS = 10

Proceed = Callable[[], None]  # raises where the work is to be given up


@dataclass(eq=False, slots=True)
class _File:
    path: Path
    kind: str
    at: Place = (None, None)  # of the training as it was written
    id: str = field(default_factory=lambda: new_suffix(ID_DIGITS))
    count: int = 0  # how often it was written …
    keep_at: int = 1  # … and from which time on a small one is kept again
    is_changed: bool = False
    is_told: bool = False
    extent: tuple[int, int] | None = None  # of the content that the log tells of
    is_settled: bool = False  # that content is hashed, and kept if it is to be


class WrittenFiles:
    """The files that one run has written. `note` may be called by any thread, `look` and `settle` by one at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._setting = valid_or(CHECKPOINTS[0], choice, "checkpoints", CHECKPOINTS)
        self._files: dict[str, _File] = {}  # by path, the one that was written last at the end
        self._left_out = 0

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def kind_of(self, path: str) -> str | None:
        """Return the kind of a file that was written; None for any other."""
        found = self._files.get(path)
        return None if found is None else found.kind

    def note(self, path: str, kind: str, at: Place) -> None:
        """Note that a file was written, or is about to be closed."""
        found = self._files.pop(path, None)
        if found is None and self._is_full(kind):
            self._left_out += 1
            return
        if found is None or (self._setting == "all" and kind in MODELS and found.is_told):
            found = _File(Path(path), kind)
        if not found.is_told:
            found.kind = kind  # the outer call knows more than one within it
        found.at = at
        found.count += 1
        found.is_changed = True
        self._files[path] = found

    def _is_full(self, kind: str) -> bool:
        pictures = sum(file.kind == PICTURE for file in self._files.values()) if kind == PICTURE else 0
        return len(self._files) >= MAX_FILES or pictures >= MAX_PICTURES

    def forget(self, path: str) -> None:
        """Leave a file to somebody who records it, too, and knows more of it; without effect once it is told."""
        found = self._files.get(path)
        if found is not None and not found.is_told:
            del self._files[path]

    def look(self, proceed: Proceed) -> None:
        """Record what was written since the last look; keep what is small."""
        for file in list(self._files.values()):
            if file.is_changed:
                file.is_changed = False
                self._record(file, proceed, last=self._setting == "all" and file.kind in MODELS)

    def settle(self, proceed: Proceed) -> None:
        """Record how the files are as the run ends, in the order they were written, and keep the newest first."""
        for file in list(self._files.values()):
            if not file.is_told:
                with suppress(OSError):  # gone: it is told below
                    size, newest = extent(file.path)
                    known = {"size": size, "mtime_ns": newest, "stored": False, "why": None}
                    self._tell(file, known | {"sha256": None, "pending": True})
        for file, why in self._with_refusals():
            file.is_changed = False
            self._record(file, proceed, last=True, refused=why)
        if self._left_out:
            limits = f"the first {MAX_FILES}, or a picture beyond the first {MAX_PICTURES}"
            self._run.log_missing("files", f"{self._left_out} times a file was written beyond {limits}")
            self._left_out = 0

    def _with_refusals(self) -> Iterator[tuple[_File, str | None]]:
        """Yield the files, newest first, and why one is not kept: of models, older ones of a series may be too many."""
        sizes: dict[str, int] = {}  # of those with the same name but for numbers
        for file in reversed(list(self._files.values())):
            why = None
            if file.kind in MODELS and self._setting == "none":
                why = "not kept: RUNLORE_CHECKPOINTS is none"
            elif file.kind in MODELS and self._setting == "best":
                series, size = re.sub(r"\d+", "#", str(file.path)), 0
                with suppress(OSError):
                    size = extent(file.path)[0]
                if sizes.get(series, -size) + size > MAX_KEPT_BYTES:
                    why = "not kept: later ones of its series are (RUNLORE_CHECKPOINTS=all keeps each)"
                sizes[series] = sizes.get(series, 0) + size
            yield file, why

    def _record(self, file: _File, proceed: Proceed, *, last: bool, refused: str | None = None) -> None:
        try:
            self._look_at(file, proceed, last=last, refused=refused)
        except OSError as error:
            if not file.is_settled:
                self._tell(file, {"stored": False, "why": f"it could not be kept: {error.strerror or error}"})
            if isinstance(error, FileNotFoundError):
                self._run.run_log.event({"type": "removed", "path": str(file.path)})
            file.is_settled = True

    def _look_at(self, file: _File, proceed: Proceed, *, last: bool, refused: str | None) -> None:
        now = extent(file.path)
        file.is_settled = file.is_settled and now == file.extent
        if file.is_settled:
            return
        file.extent = now
        is_small = now[0] <= SMALL_BYTES
        at_once = is_small and file.count >= file.keep_at
        if refused is None and self._setting == "none" and file.kind in MODELS:
            refused = ""  # the end says why
        place: Event = {"size": now[0], "mtime_ns": now[1], "stored": False, "why": None}
        waits = {"sha256": None, "pending": True, **({"keep": True} if (last or is_small) and refused is None else {})}
        self._tell(file, place | waits)  # before it is done, as that may be cut off
        if not last and not at_once:
            return
        file.keep_at = 2 * file.count
        found = self._kept(file, now, proceed) if refused is None else hashed(file.path, proceed) | {"why": refused}
        if extent(file.path) == now:  # else it is being written: the next look has it
            file.is_settled = True
            self._tell(file, place | found)

    def _kept(self, file: _File, now: tuple[int, int], proceed: Proceed) -> Event:
        if file.kind not in MODELS and now[0] > MAX_KEPT_BYTES:
            why = f"not kept: it is larger than {MAX_KEPT_BYTES >> 20} MiB"
            return hashed(file.path, proceed) | {"why": why}
        return kept_or_hashed(file.path, self._run.run_log.blobs, plugins().rewrite_file, proceed)

    def _tell(self, file: _File, content: Event) -> None:
        step, epoch = file.at
        event: Event = {"type": "artifact", "path": str(file.path), "id": file.id, "step": step, "epoch": epoch}
        if file.is_told:
            event["completes"] = True
        else:
            event |= {"name": file.path.name, "kind": file.kind, "roles": []}
            event |= {"size": None, "sha256": None}
        file.is_told = True
        self._run.run_log.event(event | content)
