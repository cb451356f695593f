"""Which run made a file: found by its content, or by the weights in it, wherever it lies and whatever it is called."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from runlore.artifacts.blobs import Member, folder_sha256, hash_file
from runlore.artifacts.events import extent, hashed
from runlore.errors import RunloreError
from runlore.index import contents
from runlore.index.links import find_links_to_content
from runlore.log.record import read_record
from runlore.provenance import fingerprints, hashing

if TYPE_CHECKING:
    from runlore.artifacts.artifact import Artifact
    from runlore.store.runs import RecordedRun
    from runlore.store.store import Store


SHORTEST = 6  # digits of a hash that may stand for it
LOOKED_AT = 100  # runs with a file of the same size that are looked at before it is hashed
Match = Literal["sha256", "weights"]


class FileOrHashNotFound(RunloreError, FileNotFoundError):
    """Neither a file nor a hash."""


class AmbiguousHash(RunloreError, LookupError):
    """A beginning of a hash that several contents share."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A run that wrote a content, or read it.

    `artifact` is the name that the run has for it: that of the dataset where it was read as data. Where a run went on
    from a checkpoint, the name is the one it has with the run that wrote it, and the role is the kind of the link.
    """

    run: str
    name: str
    relation: Literal["wrote", "read"]
    artifact: str
    step: int | None
    epoch: float | None
    roles: tuple[str, ...]
    match: Match = "sha256"


@dataclass(frozen=True, slots=True)
class Origins:
    """The runs that know a content, newest first. `hints` say what comes nearest where there is none."""

    sha256: str
    found: tuple[Origin, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Content:
    """What is asked for: a hash or the beginning of one, and the file or folder that has it, if there is one."""

    sha256: str
    path: Path | None
    members: tuple[Member, ...] = ()  # of a folder
    complaints: list[str] = field(default_factory=list, compare=False)  # why weights could not be read

    @cached_property
    def weights(self) -> "fingerprints.Weights | None":
        """Those of the model in it, if it is one; read when first asked for."""
        if self.path is None:
            return None
        files = [self.path / member.path for member in self.members] if self.path.is_dir() else [self.path]
        return fingerprints.weights_of(files, self.complaints.append)


def which_run(store: "Store", target: "str | os.PathLike[str] | Content") -> Origins:
    """The runs that wrote or read a file, a folder, or the content with a hash (at least six digits of it).

    A model file that no run has written is looked for by the fingerprint of its weights; a folder, file by file. Files
    whose hash was not known when they were recorded are hashed first. No pickle is loaded.

    A `Content` without a path is a hash, also where a file of that name lies here.

    Raises:
        FileOrHashNotFound: `target` is neither.
    """
    content = target if isinstance(target, Content) else content_of(target)
    if not store.exists:
        return Origins(content.sha256, (), (f"there is no store at {str(store.root)!r} yet",))
    known = same_contents(store, content)
    found = tuple(dict.fromkeys(origin for sha256, match in known for origin in _origins(store, sha256, match)))
    return Origins(content.sha256, found, () if found else tuple(_hints(store, content)))


def content_of(target: str | os.PathLike[str]) -> Content:
    """What a path or a hash stands for.

    Raises:
        FileOrHashNotFound: `target` is neither.
    """
    path = Path(target)
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        members = [Member(item.relative_to(path).as_posix(), item.stat().st_size, hash_file(item)) for item in files]
        return Content(folder_sha256(members), path, tuple(members))
    if path.is_file():
        return Content(hash_file(path), path)
    if path.exists():
        raise FileOrHashNotFound(f"{os.fspath(target)!r} is a pipe or a device, not a file")
    text = os.fspath(target).lower().removeprefix("sha256:").rstrip("….")
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", text):
        return Content(text, None)
    raise FileOrHashNotFound(f"{os.fspath(target)!r} is no file here, and no sha256 of at least {SHORTEST} digits")


def same_contents(store: "Store", content: Content) -> "list[tuple[str, Match]]":
    """The hashes by which the store knows a content, and how: its own first, then those of files with the same weights.

    Weights count where nobody wrote the very bytes: somebody may only have read them. Of a folder that nobody knows,
    its files count, and its weights only if nobody knows the largest file.
    """
    if os.access(store.root, os.W_OK):
        hashing.complete(store.folder, store.ask(contents.list_pending))
    known = store.ask(contents.find_hashes, content.sha256)
    if len(known) > 1:
        listed = "".join(f"\n  {sha256}" for sha256 in known[:10])
        raise AmbiguousHash(f"{content.sha256!r} begins {len(known)} contents, write more of it:{listed}")
    found: list[tuple[str, Match]] = [(sha256, "sha256") for sha256 in known]
    if known and any(use.relation == "wrote" for use in store.ask(contents.find_uses, known[0])):
        return found
    inside = list(dict.fromkeys(member.sha256 for member in sorted(content.members, key=lambda item: -item.size)))
    exact = store.ask(contents.find_used, inside)
    if not exact or exact[0] != inside[0]:
        found += [(sha256, "weights") for sha256 in _with_same_weights(store, content) if sha256 not in known]
        exact = [] if found else exact
    return found + [(sha256, "sha256") for sha256 in exact]


def _with_same_weights(store: "Store", content: Content) -> list[str]:
    if content.path is None:
        return store.ask(contents.find_by_fingerprint, content.sha256)
    weights = content.weights
    if weights is None:
        return []
    found = store.ask(contents.find_by_fingerprint, *weights.whole)
    looked = fingerprints.look_at_all(store, weights.values)  # others may have the same
    return found + [sha for sha, item in looked.items() if not {*item.whole, *item.parts}.isdisjoint(weights.whole)]


def _origins(store: "Store", sha256: str, match: Match) -> Iterator[Origin]:
    """The runs that wrote a content, and those that read it: as data, or going on from it."""
    for run_id, relation, name, position in store.ask(contents.find_uses, sha256):
        run = store.run(run_id)
        if relation == "read":
            yield Origin(run_id, run.name, "read", name, None, None, (), match)
            continue
        artifacts = run.artifacts
        if position < len(artifacts):
            item = artifacts[position]
            inside = name if item.is_folder and name != item.name else ""
            title = f"{item.name}/{inside}" if inside else item.name
            for reader, kind, step in readers_of(store, run, item):
                yield Origin(reader.id, reader.name, "read", title, step, None, (kind,), match)
            yield Origin(run_id, run.name, "wrote", title, item.step, item.epoch, item.roles, match)


def readers_of(
    store: "Store", run: "RecordedRun", artifact: "Artifact"
) -> "Iterator[tuple[RecordedRun, str, int | None]]":
    """The runs that went on from an artifact of a run, how, and from which step; newest first.

    Links that name no content are taken to mean the artifact of their step.
    """
    for link in store.ask(find_links_to_content, run.id, artifact.step, artifact.sha256):
        yield store.run(link.run), link.kind, link.step


# What comes nearest


def _hints(store: "Store", content: Content) -> Iterator[str]:
    yield from _near_weights(store, content)
    yield from content.complaints
    name = content.sha256 if content.path is None else content.path.name
    for item in store.ask(contents.find_named, name):
        yield f"run {item.run_name} ({item.run}) wrote a {name!r} with other content"
    if content.path is not None and content.path.is_file():
        size = content.path.stat().st_size
        for item in store.ask(contents.find_sized, size):
            yield f"run {item.run_name} ({item.run}) wrote {item.artifact!r}, which has the same size of {size:,} bytes"
        if content.weights is None and not content.complaints and _may_hold_a_model(content.path):
            yield "no plugin finds weights in it, and no pickle is loaded to look: only these very bytes would be found"
        yield "data is known by its file where a run recorded it by path: run.log_data(name, Path(…))"
    pending = store.ask(contents.count_pending)
    if pending:
        yield f"{pending} recorded files could not be hashed yet"


def _near_weights(store: "Store", content: Content) -> Iterator[str]:
    """The runs whose models come nearest, by the first of three likenesses that any has."""
    weights = content.weights
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
    """Whether a file is an archive, as of numpy or TorchScript, or a pickle."""
    with path.open("rb") as file:
        head = file.read(2)
    return head == b"PK" or (head[:1] == b"\x80" and head[1:] <= b"\x05")


# For those who record


def with_hashes(run: "RecordedRun") -> "RecordedRun":
    """The run, what it left to be hashed or kept done now; it itself where there is nothing, or nothing can be done."""
    if run.status == "running" or not os.access(run.store.root, os.W_OK):
        return run
    return run.store.run(run.id) if hashing.complete(run.store.folder, [run.id]) else run


class Writing(NamedTuple):
    """The run that wrote a checkpoint, the step of it then, and the hash of the content, as far as they are known."""

    run: str
    step: int | None
    sha256: str | None


def writer_of(store: "Store", path: Path) -> Writing | None:
    """The newest run that wrote this checkpoint; None where none did.

    A file that lies where a run recorded it, with the size and time that it had then, is not hashed; nor is one of a
    size that no run has recorded.

    Raises:
        OSError: it can't be read.
    """
    size, mtime_ns = extent(path)
    rows = store.ask(contents.find_by_size, size)
    for run_id in dict.fromkeys(run_id for run_id, _ in rows[:LOOKED_AT]):
        for item in reversed(read_record(store.folder, run_id)[0].artifacts):
            same = (item.get("size"), item.get("mtime_ns")) == (size, mtime_ns)
            if same and item.get("path") == str(path) and item.get("kind") == "checkpoint":
                return Writing(run_id, item.get("step"), item.get("sha256"))
    if not rows:
        return None
    hashing.complete(store.folder, [run_id for run_id, pending in rows if pending])
    sha256 = str(hashed(path)["sha256"])
    found = store.ask(contents.find_checkpoint, sha256)
    return None if found is None else Writing(*found, sha256)
