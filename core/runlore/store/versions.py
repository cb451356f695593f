"""Versions of models, and their changes, as users see them."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from runlore._ids import is_sha256
from runlore._text import as_time
from runlore.artifacts.artifact import Artifact
from runlore.artifacts.blobs import Blobs
from runlore.errors import ArtifactNotFound, RunNotFound
from runlore.log.events import Event
from runlore.models.history import Change, History, What
from runlore.store.runs import RecordedRun, Runs


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model: an artifact of a run, under a number that stays its own.

    `version` is that number as text; versions of two stores that were merged and have one number get a letter behind
    it. `run_id`, `artifact_name`, `step`, `epoch`, `sha256` and `size` say where it comes from, `user`, `host`,
    `added`, `note` and `reason` what was said when it was added. `withdrawn` ones are only on record.
    """

    model: str
    version: str
    id: str
    aliases: tuple[str, ...]
    run_id: str
    artifact_name: str
    step: int | None
    epoch: float | None
    sha256: str | None
    size: int | None
    added: datetime
    user: str
    host: str
    note: str
    reason: str
    withdrawn: bool
    store: Runs = field(repr=False, compare=False)
    event: Event = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """Its name for people: "digits 3 (prod)"."""
        return f"{self.model} {self.version}" + (f" ({', '.join(self.aliases)})" if self.aliases else "")

    @property
    def run(self) -> RecordedRun:
        """The run behind it.

        Raises:
            RunNotFound: it was removed, or was never copied to this store.
        """
        found = self.store.known([self.run_id])
        if not found:
            raise RunNotFound(
                f"run {self.run_id}, which version {self.version} of {self.model!r} comes from, is not in "
                f"{str(self.store.root)!r}; `runlore undo` brings back a run that was removed"
            )
        return found[0]

    @property
    def artifact(self) -> Artifact:
        """The file or folder: as its run knows it, or, without its run, as the store has kept it.

        Raises:
            ArtifactNotFound: neither is there.
        """
        for run in self.store.known([self.run_id]):
            for item in reversed(run.artifacts):
                if (item.name, item.step) == (self.artifact_name, self.step) and self.sha256 in (None, item.sha256):
                    return item
        if self.sha256 is None:
            raise ArtifactNotFound(
                f"version {self.version} of {self.model!r} was not kept, and run {self.run_id} does not have it"
            )
        known = {"name": self.artifact_name, "stored": True, "path": self.event.get("file"), "present": False}
        return Artifact.of({**self.event, **known}, Blobs(self.store.folder.blobs))

    @property
    def available(self) -> bool:
        """True if its content is in the store."""
        blobs = Blobs(self.store.folder.blobs)
        hashes = [str(member[2]) for member in self.event.get("files") or ()] or [str(self.sha256)]
        return all(is_sha256(sha256) and blobs.holds(sha256) for sha256 in hashes)

    def restore(self, to: str | os.PathLike[str]) -> Path:
        """Write the file or folder below the folder `to`, byte for byte; see `Artifact.restore`.

        Raises:
            ArtifactNotFound: its content is not there any more.
            UnsafePath, PlaceTaken: it can't be written there.
            OSError: likewise.
        """
        return self.artifact.restore(to)


@dataclass(frozen=True)
class ModelChange:
    """A change of a model: `what` it was, when, by whom on which machine, and why.

    `version` is the number of the version that it was about; of an alias that now names it, or None where it was
    taken off; `before` is the one that the alias named till then. `ended` are aliases that went with a withdrawn
    version. The user is the one who the writer said it was.
    """

    what: What
    time: datetime
    user: str
    host: str
    version: str | None
    alias: str | None
    before: str | None
    ended: tuple[str, ...]
    text: str
    reason: str


def version_of(store: Runs, known: History, version: str) -> ModelVersion:
    """Return the version with an id."""
    event = known.versions[version]
    return ModelVersion(
        model=known.name,
        version=known.labels[version],
        id=version,
        aliases=known.aliases_of(version),
        run_id=event["run"],
        artifact_name=event["artifact"],
        step=event.get("step"),
        epoch=event.get("epoch"),
        sha256=event.get("sha256"),
        size=event.get("size"),
        added=as_time(event["time"]),
        user=_text(event, "user"),
        host=_text(event, "host"),
        note=_text(event, "text"),
        reason=_text(event, "reason"),
        withdrawn=version in known.withdrawn,
        store=store,
        event=event,
    )


def change_of(known: History, item: Change) -> ModelChange:
    """Return a change with the numbers of the versions in it."""
    event = item.event
    return ModelChange(
        what=item.what,
        time=as_time(event["time"]),
        user=_text(event, "user"),
        host=_text(event, "host"),
        version=known.labels.get(item.version or ""),
        alias=event.get("alias"),
        before=known.labels.get(item.before or ""),
        ended=item.ended,
        text=_text(event, "text"),
        reason=_text(event, "reason"),
    )


def _text(event: Event, key: str) -> str:
    return str(event.get(key) or "")
