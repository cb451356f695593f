"""Fingerprints of models, which stay the same when their tensors move into another kind of file.

A fingerprint is the sha256 of the types, shapes and values of tensors, in the order of their names. The names are left
out, so that a common prefix may come or go. Tensors that are equal to others may be missing: libraries that tie weights
write them once or twice.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import extent, hashed
from runlore.hookspecs import Tensor
from runlore.index.contents import NO_MODELS, add_without_weights, list_unread
from runlore.log.folder import Folder
from runlore.log.record import read_record
from runlore.plugins.manager import plugins
from runlore.provenance.apart import Apart
from runlore.provenance.model_files import check, open_model
from runlore.provenance.trust import Proven
from runlore.recording.run import attach
from runlore.store.store import Store

MIN_SHARE = 0.5  # of a model's values that a part of it must exceed to have a fingerprint of its own


@dataclass(frozen=True, slots=True)
class Weights:
    """Hashes that identify the model in a file.

    `whole` are the fingerprints of each set of tensors in it, `parts` those of the larger part of one, such as the
    model inside a module with losses. `shapes` are hashes of the shapes alone, of the largest set and its parts;
    `tensors` are a hash of the largest set without regard to names, and one of its largest tensor. `values` counts the
    numbers in the largest set.
    """

    whole: tuple[str, ...]
    parts: tuple[str, ...]
    shapes: tuple[str, ...]
    tensors: tuple[str, ...]
    values: int

    def event(self, sha256: str) -> dict[str, Any]:
        """Return the event that records them for the content with this hash."""
        fingerprints = list(dict.fromkeys([*self.whole, *self.parts]))
        told = {"fingerprints": fingerprints, "shapes": list(self.shapes), "tensors": list(self.tensors)}
        return {"type": "weights", "sha256": sha256, **told}


class Unread(NamedTuple):
    """Tells why the weights in a file are not compared; `may_pass`: another time they may be."""

    why: str
    may_pass: bool


Complain = Callable[[Unread], None]


def weights_of(paths: Sequence[Path], complain: Complain | None = None, apart: Apart | None = None) -> Weights | None:
    """Return the fingerprints of the model in one file, or in several; None where no plugin finds one.

    A file that can't be read counts as none; `complain` is told why. `apart` reads what this process should not.
    """
    if apart is None:
        with Apart() as apart:
            return weights_of(paths, complain, apart)
    sets: list[Sequence[Tensor]] = []
    shards: list[Tensor] = []
    for path in paths:
        found = _describe(path, apart, complain)
        if found:
            sets += [tensors for tensors in found.values() if tensors]
            shards += found.get("") or ()
    if len(sets) > 1 and len(paths) > 1 and shards:
        sets.append(shards)
    if not sets:
        return None
    largest = max(sets, key=lambda tensors: sum(map(_values, tensors)))
    whole = tuple(dict.fromkeys(item for tensors in sets for item in _fingerprints(tensors)))
    parts = tuple(dict.fromkeys(item for tensors in sets for part in _parts(tensors) for item in _fingerprints(part)))
    shapes = tuple(dict.fromkeys(_shapes(tensors) for tensors in (largest, *_parts(largest))))
    greatest = max(largest, key=_values)
    tensors = (_digest(sorted(map(_line, largest))), _digest([_line(greatest)]))
    return Weights(whole, parts, shapes, tensors, sum(map(_values, largest)))


def _describe(path: Path, apart: Apart, complain: Complain | None) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the sets of tensors in a file; None where no plugin finds any, or it can't be read within its budget."""
    try:
        with open_model(path, apart) as file:
            found = plugins().first("runlore_describe_weights", Mapping, path=path, file=file)  # type: ignore[type-abstract]
            if found is not None:
                check(found, file)
            return found
    except (RuntimeError, ValueError, OSError) as error:  # a damaged or hostile file, a library that is not installed
        if complain is not None:
            why = f"the weights in {str(path)!r} are not compared: {error}"
            complain(Unread(why, _may_pass(error.__cause__ or error)))
        return None


def _may_pass(error: BaseException) -> bool:
    """Return True unless an error comes of the content: a library may be installed, a disk come back."""
    return isinstance(error, ImportError | MemoryError) or (isinstance(error, OSError) and error.errno is not None)


def _fingerprints(tensors: Sequence[Tensor]) -> Iterator[str]:
    """Yield the fingerprint of all tensors; if some are equal, also with only the first, or only the last, of these."""
    lines = [_line(item) for item in sorted(tensors, key=lambda item: item.name)]
    yield _digest(lines)
    if len(set(lines)) < len(lines):
        yield _digest(list(dict.fromkeys(lines)))
        yield _digest(list(dict.fromkeys(reversed(lines)))[::-1])


def _line(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tensor.shape} {tensor.sha256}"


def _parts(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors below a first name that hold more than half of the values, if there are several names."""
    groups: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.name.partition(".")[0], []).append(tensor)
    least = MIN_SHARE * sum(map(_values, tensors))
    if len(groups) > 1:
        yield from (group for group in groups.values() if sum(map(_values, group)) > least)


def _shapes(tensors: Sequence[Tensor]) -> str:
    return _digest(sorted(str(tensor.shape) for tensor in tensors))


def _values(tensor: Tensor) -> int:
    return math.prod(tensor.shape)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# In a store


def record_weights(store: Store, least: int) -> dict[str, Weights]:
    """Read all recorded models of at least so many bytes that nobody has read yet, and record their fingerprints.

    Returns what was found, by the hash of the content. The index keeps the hashes of files in which these plugins find
    no weights, which are not read again. Models that were not kept and are gone have none.
    """
    readers = _readers()
    found: dict[str, Weights] = {}
    without: dict[str, list[str]] = {}
    with Apart() as apart:
        for run_id in store.ask(list_unread, least, readers):
            fresh = {sha: weights for sha, weights in _unread_of(store, run_id, least, apart) if sha not in found}
            known = {sha: weights for sha, weights in fresh.items() if weights is not None}
            if known and os.access(store.root, os.W_OK):
                with attach(store.folder, run_id) as run:
                    for sha256, weights in known.items():
                        run.run_log.event(weights.event(sha256))
            without[run_id] = [sha256 for sha256 in fresh if sha256 not in known]
            found |= known
    if found:
        store.ask(list_unread, least, readers)  # the index reads the runs that have changed, before it keeps more
    store.index.keep(add_without_weights, without, readers)
    return found


def files_of(folder: Folder, run_id: str, sha256: str) -> list[Path]:
    """Return the readable files of an artifact; none if it was not kept, and is gone or has changed."""
    blobs = Blobs(folder.blobs)
    for item in read_record(folder, run_id)[0].artifacts:
        if item.get("sha256") == sha256:
            try:
                return list(_paths(item, blobs, Proven(folder, run_id)))
            except OSError:
                return []
    return []


def _readers() -> str:
    """Return a hash of the plugins that read weights, and of their version: others may know more kinds of files."""
    from importlib.metadata import version

    return _digest([version("runlore"), *plugins().implementing("runlore_describe_weights")])


def _unread_of(store: Store, run_id: str, least: int, apart: Apart) -> Iterator[tuple[str, Weights | None]]:
    """Yield the contents of a run whose weights are not on record, with the weights; None where there are none."""
    record, _ = read_record(store.folder, run_id)
    blobs = Blobs(store.folder.blobs)
    proven = Proven(store.folder, run_id)
    for item in record.artifacts:
        sha256 = item.get("sha256")
        if sha256 is None or sha256 in record.weights or item["kind"] in NO_MODELS or (item.get("size") or 0) < least:
            continue
        complaints: list[Unread] = []
        try:
            paths = list(_paths(item, blobs, proven))
            weights = weights_of(paths, complaints.append, apart)
        except OSError:
            continue
        if weights is not None or (paths and not any(complaint.may_pass for complaint in complaints)):
            yield sha256, weights


def _paths(item: Mapping[str, Any], blobs: Blobs, proven: Proven) -> Iterator[Path]:
    """Yield the files of an artifact: in the store, or where this user has written them, if they still are the same.

    Raises:
        OSError: they can't be read.
    """
    hashes = [member[2] for member in item["files"]] if "files" in item else [item["sha256"]]
    if all(map(blobs.holds, hashes)):
        yield from map(blobs.path, hashes)
        return
    path = Path(str(item.get("path") or os.devnull))
    if not path.is_absolute() or not proven.has(item) or not path.exists():
        return
    same = extent(path) == (item.get("size"), item.get("mtime_ns"))
    if same or hashed(path)["sha256"] == item["sha256"]:
        yield from [path] if "files" not in item else [path / member[0] for member in item["files"]]
