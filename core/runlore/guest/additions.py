"""What is learnt of a model after its fit, added to the run that made it."""

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from runlore._warnings import report
from runlore.artifacts.events import local_path
from runlore.hookspecs import CapturedFile
from runlore.plugins.manager import plugins
from runlore.recording.additions import addition_to, close_addition_to
from runlore.recording.ranks import is_worker
from runlore.recording.run import Run, attach
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.provenance.origins import Writing


def writer_of(store: Store, path: Path) -> "Writing | None":
    """Return which run wrote a file or folder, and at which step, by its content; None where no run did.

    Raises:
        OSError: it can't be read.
    """
    from runlore.provenance import origins

    return origins.writer_of(store, path)


class Additions:
    """Adds to a run, which may have ended. No method raises; workers add nothing."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @classmethod
    def to_writer_of(
        cls, checkpoint: str | os.PathLike[str], store: Store | None = None
    ) -> "tuple[Self, int | None] | None":
        """To the run that wrote a checkpoint, by its content, and the step that it has; None where none did.

        Never raises. A large file that was moved is hashed for it.
        """
        from runlore.provenance import origins

        path = local_path(checkpoint)
        try:
            place = store or open_store()
            found = None if path is None or is_worker() or not path.exists() else origins.writer_of(place, path)
            return None if found is None else (cls(attach(str(place.root), found.run)), found.step)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"the run that wrote {os.fspath(checkpoint)!r} can't be looked up: {type(error).__name__}: {error}")
            return None

    def metrics(
        self,
        metrics: Mapping[str, Any],
        *,
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """What was measured after the fit."""
        self._add(", ".join(metrics), lambda run: run.log_metrics(metrics, step, epoch, split))

    def data(self, /, name: str, data: Any = None, **facts: Any) -> None:
        """A dataset that the model met after its fit; see `Run.log_data`."""
        self._add(f"data {name}", lambda run: run.log_data(name, data, **facts))

    def file(self, path: Path, *, kind: str, most: int, step: int | None = None) -> None:
        """A file that was written after the fit, up to `most` bytes of it kept; `step` is that of its weights.

        One that is not kept, or a folder, is hashed by the next reader, so that whoever writes it need not wait.
        """
        self._add(repr(str(path)), lambda run: _add_file(run, path, kind, most, step))

    def files(self, folder: Path, paths: Sequence[Path], *, kind: str, most: int, step: int | None = None) -> None:
        """Files of one folder that were written together, as one artifact of many, up to `most` bytes kept."""
        what = repr(str(folder))
        self._add(what, lambda run: run.log_files(folder, paths, kind=kind, step=step, keep=_total(paths) <= most))

    def suffix(self, stage: str, fingerprints: Mapping[str, str | None]) -> str:
        """What stands behind the names of a set that a model is tested on, by what the run knows of sets before.

        `fingerprints` are those of its parts, by the names that the first set's have.
        """
        place = 1
        data = Store(self.run.folder.root).run(self.run).data
        while True:
            suffix = "" if place == 1 else f"/{stage}_{place}"
            known = {part: data.get(part.replace(stage, stage + suffix, 1)) for part in fingerprints}
            told = {part: facts.get("fingerprint") for part, facts in known.items() if facts is not None}
            if not told or (told == fingerprints and None not in told.values()):
                return suffix
            place += 1

    def close(self) -> None:
        """Nothing more is added for now; what comes later opens the run again."""
        close_addition_to(self.run)

    def _add(self, what: str, action: Callable[[Run], object]) -> None:
        if is_worker():
            return
        try:
            action(addition_to(self.run))
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"{what} can't be added to {self.run!r}: {type(error).__name__}: {error}")


class Sets:
    """Names for the sets of data that one model is tested on, one after the other."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Hashable]] = {}

    def suffix(self, stage: str, identity: Hashable) -> str:
        """What stands behind a metric's name: nothing for the first set of a stage, "/test_2" for the second."""
        seen = self._seen.setdefault(stage, [])
        if identity not in seen:
            seen.append(identity)
        place = seen.index(identity)
        return f"/{stage}_{place + 1}" if place else ""


def _total(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _add_file(run: Run, path: Path, kind: str, most: int, step: int | None) -> None:
    if path.is_dir() or path.stat().st_size > most:
        run.log_artifact(path, kind=kind, step=step, keep=False)
        return
    file = plugins().rewrite_file(CapturedFile(path.name, path.read_bytes(), kind))
    if file.withheld is not None:
        run.log_missing(path.name, file.withheld)
    run.log_artifact(path, kind=kind, step=step, keep=file.withheld is None)
