"""Additions: what is learnt of a model after its fit goes to the run that made it."""

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from runlore._warnings import report
from runlore.artifacts.events import local_path
from runlore.guest.recorder import Recorder
from runlore.recording.additions import addition, addition_to, close_addition_to
from runlore.recording.ranks import is_worker
from runlore.recording.run import Run
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.provenance.origins import Writing


def writer_of(store: Store, path: Path) -> "Writing | None":
    """Return the run that wrote a file or folder, by its content, and the step; None where no run did.

    Raises:
        OSError: it can't be read.
    """
    from runlore.provenance import origins

    return origins.writer_of(store, path)


class Additions(Recorder):
    """Adds to a run, which may have ended. No method raises; workers add nothing."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, self._add_metrics)

    @classmethod
    def to_writer_of(
        cls, checkpoint: str | os.PathLike[str], store: Store | None = None
    ) -> "tuple[Self, int | None] | None":
        """Return additions to the run that wrote a checkpoint, by its content, and its step; None where no run did.

        Never raises. Hashes the checkpoint, even a large one, where it was moved.
        """
        path = local_path(checkpoint)
        try:
            place = store or open_store()
            found = None if path is None or is_worker() or not path.exists() else writer_of(place, path)
            return None if found is None else (cls(addition(place.folder, found.run)), found.step)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"the run that wrote {os.fspath(checkpoint)!r} can't be looked up: {type(error).__name__}: {error}")
            return None

    def suffix(self, stage: str, fingerprints: Mapping[str, str | None]) -> str:
        """Return the ending for the names of a set that the model is tested on: "" for the first one, "/test_2", ….

        A set that the run knows already gets the ending that it had. `fingerprints` are those of the set's parts, by
        the names that they have in the first set.
        """
        place = 1
        data = Store(self.run.folder.root).run(self.run).data
        while True:
            suffix = "" if place == 1 else f"/{stage}_{place}"
            known = {part: data.get(part.replace(stage, stage + suffix, 1)) for part in fingerprints}
            recorded = {part: facts.get("fingerprint") for part, facts in known.items() if facts is not None}
            if not recorded or (recorded == fingerprints and None not in recorded.values()):
                return suffix
            place += 1

    def close(self) -> None:
        """Close the run's log for now; a later addition opens it again."""
        close_addition_to(self.run)

    def _add_metrics(
        self, metrics: Mapping[str, Any], step: int | None, epoch: float | None, split: str | None
    ) -> None:
        run = self._open_run()
        if run is not None:
            run.log_metrics(metrics, step, epoch, split)

    def _open_run(self) -> Run | None:
        return None if is_worker() else addition_to(self.run)

    def _failed(self, what: str, error: Exception) -> None:
        report(f"{what} can't be added to {self.run!r}: {type(error).__name__}: {error}")


class Sets:
    """Names for the datasets that one model is tested on, one after the other."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Hashable]] = {}

    def suffix(self, stage: str, identity: Hashable) -> str:
        """Return the ending of a metric's name: "" for the first dataset of a stage, "/test_2" for the second."""
        seen = self._seen.setdefault(stage, [])
        if identity not in seen:
            seen.append(identity)
        place = seen.index(identity)
        return f"/{stage}_{place + 1}" if place else ""
