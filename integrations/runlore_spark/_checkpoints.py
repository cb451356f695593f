"""Folders that models are saved to and read from, where they are of this machine."""

import weakref
from pathlib import Path
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import ByIdentity
from runlore_spark._owners import origins

METADATA = "metadata"  # the folder that each saved model has
SCHEME = "file:"


class Writers(guest.Part):
    """Knows the models of this process' writers, which those of Java's models don't tell."""

    def __init__(self) -> None:
        self.models: ByIdentity[weakref.ref[Any]] = ByIdentity()


class Saving:
    """A call of a writer's `save`, from its beginning to its end."""

    def __init__(self, writer: Any, path: Any) -> None:
        model = getattr(writer, "instance", None) or (guest.part(Writers).models.get(writer) or _nothing)()
        self._run = None if model is None else origins().run_of(model)
        self._path = None if self._run is None else local(path)
        self._before = self._state()

    def end(self, error: BaseException | None) -> None:
        """Add the folder to the run that made the model, if it was written on this machine."""
        if error is None and self._run is not None and self._state() not in (None, self._before):
            Additions(self._run).file(Path(self._path or ""), kind="model", most=0)

    def _state(self) -> tuple[int, ...] | None:
        return None if self._path is None else guest.file_state(self._path / METADATA)


def _nothing() -> None:
    """Stand for a model that is not known."""


def local(path: Any) -> Path | None:
    """Return a path of Spark's as one of this machine; None for other places, such as those of HDFS.

    A path without a scheme may be either: what lies there then tells.
    """
    text = str(path)
    if text.startswith(SCHEME):
        text = "/" + text.removeprefix(SCHEME).lstrip("/")
    return None if "://" in text else Path(text).absolute()


def note_read(model: Any, path: Any) -> None:
    """Note the folder that a model was just read from."""
    found = local(path)
    if found is not None and (found / METADATA).is_dir():
        origins().note_read(model, found)
    else:
        origins().drop(model)


def link_used(session: FitSession, parts: list[Any]) -> None:
    """Link a fit to the runs of the models among its parts, made in this process or read from what a run wrote."""
    used = set()
    for part in parts:
        run, file = origins().run_of(part), origins().file_of(part)
        writing = None if file is None else guest.writer_of(session.store, file)
        used |= {run.id} if run is not None else {writing.run} if writing is not None else set()
    for run_id in sorted(used - {session.run.id}):
        session.link("uses", run_id)
