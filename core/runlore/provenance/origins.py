"""The runs that wrote or read a file: found by its content, or by the weights in it, wherever it lies now."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Literal, NamedTuple

from runlore.artifacts.artifact import Artifact
from runlore.artifacts.blobs import Member, folder_sha256
from runlore.artifacts.copying import hash_file
from runlore.artifacts.events import extent, hashed
from runlore.errors import RunloreError
from runlore.index import contents
from runlore.index.contents import find_links_to_content
from runlore.index.index import one_state
from runlore.log.record import read_record
from runlore.provenance import fingerprints, hashing
from runlore.provenance.fingerprints import Unread, Weights
from runlore.store.models import list_models, versions_of
from runlore.store.runs import RecordedRun
from runlore.store.store import Store
from runlore.store.versions import ModelVersion

MIN_DIGITS = 6  # of a hash that may stand for it
MAX_READ_RUNS = 100  # runs with a file of the same size that are read before the file is hashed
MAX_ASKED = 100  # ways in which one run wrote a content, or all in a lineage, whose readers are looked for
Match = Literal["sha256", "weights"]


class FileOrHashNotFound(RunloreError, FileNotFoundError):
    """Neither a file nor a hash."""


class AmbiguousHash(RunloreError, LookupError):
    """A beginning of a hash that several contents share."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A run that wrote a content, or read it.

    `artifact` is the name that the run has for it; of a dataset, that of the data. If the run went on from a
    checkpoint, it is the name in the run that wrote the checkpoint, and the role is the kind of the link. `versions`
    are those of models that the content is.
    """

    run: str
    name: str
    relation: Literal["wrote", "read"]
    artifact: str
    step: int | None
    epoch: float | None
    roles: tuple[str, ...]
    match: Match = "sha256"
    versions: tuple[ModelVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Origins:
    """The runs that wrote or read a content, newest first; without any, `hints` tell what comes nearest."""

    sha256: str
    found: tuple[Origin, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A content to look for: its hash or the beginning of one, and the file or folder, if there is one."""

    sha256: str
    path: Path | None
    members: tuple[Member, ...] = ()  # of a folder
    complaints: list[Unread] = field(default_factory=list, compare=False)

    @cached_property
    def weights(self) -> Weights | None:
        """The fingerprints of the model in it; None if it is none. They are read when first asked for."""
        if self.path is None:
            return None
        files = [self.path / member.path for member in self.members] if self.path.is_dir() else [self.path]
        return fingerprints.weights_of(files, self.complaints.append)


class Known(NamedTuple):
    """A content that runs recorded, and how a target was recognised in it."""

    sha256: str
    match: Match


def which_run(store: Store, target: str | os.PathLike[str] | Target) -> Origins:
    """Find the runs that wrote or read a file, a folder, or the content with a hash (at least six digits of it).

    First completes what nobody has hashed or fingerprinted yet; see `settle`. A model file that no run wrote is looked
    for by the fingerprint of its weights; a folder, file by file. No pickle is loaded. A `Target` without a path is a
    hash, also where a file of that name lies here.

    Raises:
        FileOrHashNotFound: `target` is neither.
        AmbiguousHash: several contents begin like this.
    """
    content = target if isinstance(target, Target) else target_of(target)
    if not store.exists:
        return Origins(content.sha256, (), (f"there is no store at {str(store.root)!r} yet",))
    known = find_known(store, content, settle(store, content))
    with one_state(store.index):
        found = tuple(dict.fromkeys(origin for sha256, match in known for origin in _origins(store, sha256, match)))
    return Origins(content.sha256, found, () if found else tuple(_hints(store, content)))


def target_of(target: str | os.PathLike[str]) -> Target:
    """Return the content of a path, or that with a hash.

    Raises:
        FileOrHashNotFound: `target` is neither.
    """
    path = Path(target)
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        members = [Member(item.relative_to(path).as_posix(), item.stat().st_size, hash_file(item)) for item in files]
        return Target(folder_sha256(members), path, tuple(members))
    if path.is_file():
        return Target(hash_file(path), path)
    if path.exists():
        raise FileOrHashNotFound(f"{os.fspath(target)!r} is a pipe or a device, not a file")
    text = os.fspath(target).lower().removeprefix("sha256:").rstrip("….")
    if re.fullmatch(rf"[0-9a-f]{{{MIN_DIGITS},64}}", text):
        return Target(text, None)
    raise FileOrHashNotFound(f"{os.fspath(target)!r} is no file here, and no sha256 of at least {MIN_DIGITS} digits")


def settle(store: Store, target: Target) -> dict[str, Weights]:
    """Record what runs left open and a search for a target needs: pending hashes, and the weights of recorded models.

    Models are read only if the weights of the target count. Returns those found now, by the hash of the content: a
    store that can't be written does not keep them.
    """
    hashing.complete_all(store)
    if _find_bytes(store, target).suffices or target.weights is None:
        return {}
    return fingerprints.record_weights(store, target.weights.values)


def find_known(store: Store, target: Target, weights: Mapping[str, Weights]) -> list[Known]:
    """Find the contents of a store that are a target, the very bytes before those with the same weights.

    `weights` are fingerprints that the store does not keep; see `settle`. Of a folder that nobody knows, its files
    count, and its weights only if nobody knows the largest file.

    Raises:
        AmbiguousHash: several contents begin with the hash.
    """
    exact = _find_bytes(store, target)
    alike = [] if exact.suffices else _find_alike(store, target, weights)
    found = [Known(sha256, "sha256") for sha256 in exact.whole]
    found += [Known(sha256, "weights") for sha256 in alike if sha256 not in exact.whole]
    if exact.suffices or not found:
        found += [Known(sha256, "sha256") for sha256 in exact.members]
    return found


class _Bytes(NamedTuple):
    """The hashes of a target, and of the files of a folder, that runs know; `suffices`: weights don't count."""

    whole: list[str]
    members: list[str]
    suffices: bool


def _find_bytes(store: Store, target: Target) -> _Bytes:
    """Find the very bytes of a target. They suffice if a run wrote them, or wrote or read the largest file of a folder.

    Bytes that a run only read may be a copy of a model that another run wrote into a file of another kind.
    """
    largest_first = sorted(target.members, key=lambda member: -member.size)
    hashes = list(dict.fromkeys(member.sha256 for member in largest_first))
    whole, written, members = store.ask(contents.find_exact, target.sha256, hashes)
    if len(whole) > 1:
        listed = "".join(f"\n  {sha256}" for sha256 in whole[:10])
        raise AmbiguousHash(f"{target.sha256!r} begins {len(whole)} contents, write more of it:{listed}")
    if written:
        return _Bytes(whole, [], True)
    return _Bytes(whole, members, bool(members) and members[0] == hashes[0])


def _find_alike(store: Store, target: Target, weights: Mapping[str, Weights]) -> list[str]:
    """Find the contents with the same weights; a target without a path may be the beginning of a fingerprint."""
    if target.path is None:
        return store.ask(contents.find_by_fingerprint, target.sha256)
    if target.weights is None:
        return []
    wanted = target.weights.whole
    fresh = [sha256 for sha256, item in weights.items() if not {*item.whole, *item.parts}.isdisjoint(wanted)]
    return list(dict.fromkeys([*store.ask(contents.find_by_fingerprint, *wanted), *fresh]))


def _origins(store: Store, sha256: str, match: Match) -> Iterator[Origin]:
    """Find the runs that wrote a content, and those that read it: as data, or to go on from it."""
    known = store.ask(contents.find_uses, sha256)
    versions = versions_of(store, [use.run for use in known])
    for run_id, uses in groupby(known, key=attrgetter("run")):
        run = store.run(run_id)
        artifacts = run.artifacts
        asked: set[tuple[str, int | None, str | None]] = set()
        for _, relation, name, position in uses:
            if relation == "read":
                yield Origin(run_id, run.name, "read", name, None, None, (), match)
                continue
            if position >= len(artifacts):
                continue
            item = artifacts[position]
            inside = name if item.is_folder and name != item.name else ""
            title = f"{item.name}/{inside}" if inside else item.name
            way = (title, item.step, item.sha256)
            if way not in asked and len(asked) < MAX_ASKED:
                asked.add(way)
                for reader, kind, step in readers_of(store, run, item):
                    yield Origin(reader.id, reader.name, "read", title, step, None, (kind,), match)
            named = tuple(version for version in versions[run_id] if _is_of(version, sha256, item))
            yield Origin(run_id, run.name, "wrote", title, item.step, item.epoch, item.roles, match, named)


def _is_of(version: ModelVersion, sha256: str, item: Artifact) -> bool:
    """Return True if a version of a model is the artifact that a content was found as."""
    same = (version.artifact_name, version.step) == (item.name, item.step)
    return same and version.sha256 in (None, sha256, item.sha256)  # None: added before it was known


def readers_of(store: Store, run: RecordedRun, artifact: Artifact) -> Iterator[tuple[RecordedRun, str, int | None]]:
    """Yield the runs that went on from an artifact of a run, newest first, each with the kind and step of its link."""
    links = store.ask(find_links_to_content, run.id, artifact.step, artifact.sha256)
    readers = {reader.id: reader for reader in store.known([link.run for link in links])}
    yield from ((readers[link.run], link.kind, link.step) for link in links if link.run in readers)


# Hints


def _hints(store: Store, target: Target) -> Iterator[str]:
    """Tell what resembles a target that no run knows, and why more could not be found."""
    for version in (version for model in list_models(store) for version in model.versions):
        if target.sha256 == version.sha256:
            yield f"it is model {version.title}, whose run {version.run_id} is gone"
    yield from _similar_weights(store, target)
    yield from (complaint.why for complaint in target.complaints)
    name = target.sha256 if target.path is None else target.path.name
    for item in store.ask(contents.find_named, name):
        yield f"run {item.run_name} ({item.run}) wrote {name!r} with other content"
    if target.path is not None and target.path.is_file():
        size = target.path.stat().st_size
        for item in store.ask(contents.find_sized, size):
            yield f"run {item.run_name} ({item.run}) wrote {item.artifact!r}, which has the same size of {size:,} bytes"
        if target.weights is None and not target.complaints and _may_hold_a_model(target.path):
            yield "no plugin finds weights in it, and no pickle is loaded to look: only these very bytes would be found"
        yield "data is known by its file where a run recorded it by path: run.log_data(name, Path(…))"
    pending = store.ask(contents.count_pending)
    if pending:
        yield f"{pending} recorded files could not be hashed yet"


def _similar_weights(store: Store, target: Target) -> Iterator[str]:
    """Name the runs with similar models, by the first of three likenesses that any of them has."""
    weights = target.weights
    if weights is None:
        return
    for question, digest, told in (
        (contents.find_with_tensors, weights.tensors[0], "the same tensors, whose names come in another order"),
        (contents.find_with_tensors, weights.tensors[1], "its largest tensor is the same, not all others are"),
        (contents.find_with_shapes, weights.shapes[0], "tensors of the same shapes, with other values"),
    ):
        found = store.ask(question, digest)
        yield from (f"run {item.run_name} ({item.run}) wrote {item.artifact!r}: {told}" for item in found)
        if found:
            return


def _may_hold_a_model(path: Path) -> bool:
    """Return True if a file is an archive, such as numpy or TorchScript write, or a pickle."""
    with path.open("rb") as file:
        head = file.read(2)
    return head == b"PK" or (head[:1] == b"\x80" and head[1:] <= b"\x05")


# For recording


class Writing(NamedTuple):
    """The run that wrote a checkpoint, its step and epoch then, and the hash of the content, where they are known."""

    run: str
    step: int | None
    sha256: str | None
    epoch: float | None = None


def writer_of(store: Store, path: Path) -> Writing | None:
    """Find the newest run that wrote a checkpoint, None where none did; hash what is pending, if that may matter.

    A file that lies where a run recorded it, with the size and mtime that it had then, is not hashed; nor is one of a
    size that no run recorded.

    Raises:
        OSError: it can't be read.
    """
    size, mtime_ns = extent(path)
    rows = store.ask(contents.find_by_size, size)
    for run_id in dict.fromkeys(run_id for run_id, _ in rows[:MAX_READ_RUNS]):
        for item in reversed(read_record(store.folder, run_id)[0].artifacts):
            same = (item.get("size"), item.get("mtime_ns")) == (size, mtime_ns)
            if same and item.get("path") == str(path) and item.get("kind") == "checkpoint":
                return Writing(run_id, item.get("step"), item.get("sha256"), item.get("epoch"))
    if not rows:
        return None
    hashing.complete(store.folder, [run_id for run_id, pending in rows if pending])
    sha256 = str(hashed(path)["sha256"])
    found = store.ask(contents.find_checkpoint, sha256)
    if found is None:
        return None
    artifacts = read_record(store.folder, found[0])[0].artifacts
    epochs = (item.get("epoch") for item in artifacts if (item.get("sha256"), item.get("step")) == (sha256, found[1]))
    return Writing(*found, sha256, next(epochs, None))
