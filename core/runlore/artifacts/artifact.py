"""A file or folder that a run recorded, as readers see it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from runlore._ids import is_sha256
from runlore.artifacts.blobs import Blobs, Member, Opener, restore_files
from runlore.artifacts.copying import open_regular
from runlore.artifacts.events import hashed
from runlore.artifacts.folders import safe_join, unescaped
from runlore.errors import ArtifactNotFound, PlaceTaken, UnsafePath

MAX_LOOKED_FOR = 20  # files of a folder


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file or folder that a run recorded. `members` lists the files of a folder, and is empty for a file.

    `size` is in bytes. `stored` tells whether the store keeps the content, `present` whether it was still at `path` as
    far as the run knows; `why` says why a hash or a content is missing. `value` is that of a checkpoint's metric
    `monitor`. `executable` tells whether the owner of a file may run it, `escaped` whether `path` stands with escapes
    for bytes that are no UTF-8. `media` is the key that media were logged under, each of them with one of `captions`.
    """

    name: str
    kind: str
    path: str | None
    size: int | None
    sha256: str | None
    stored: bool
    step: int | None
    epoch: float | None
    roles: tuple[str, ...]
    present: bool
    members: tuple[Member, ...]
    is_folder: bool
    blobs: Blobs
    monitor: str | None = None
    value: float | None = None
    why: str | None = None
    executable: bool = False
    escaped: bool = False
    media: str | None = None
    captions: tuple[str, ...] = ()

    @classmethod
    def of(cls, item: Mapping[str, Any], blobs: Blobs) -> "Artifact":
        """Return the artifact that an item of a record describes."""
        return cls(
            name=item.get("name", ""),
            kind=item.get("kind", "file"),
            path=item.get("path"),
            size=item.get("size"),
            sha256=item.get("sha256"),
            stored=bool(item.get("stored")),
            step=item.get("step"),
            epoch=item.get("epoch"),
            roles=tuple(item.get("roles") or ()),
            present=bool(item.get("present")),
            members=_members(item),
            is_folder="files" in item,
            blobs=blobs,
            monitor=item.get("monitor"),
            value=item.get("value"),
            why=item.get("why"),
            executable=item.get("executable") is True,
            escaped=item.get("escaped") is True,
            media=item.get("media"),
            captions=tuple(item.get("captions") or ()),
        )

    @property
    def source(self) -> Path | None:
        """The place that it was recorded at; None for one without a file."""
        return Path(unescaped(self.path) if self.escaped else self.path) if self.path else None

    @property
    def is_kept(self) -> bool:
        """True if the store has the content, which a copy of a store may lack; of a folder the first files count."""
        hashes = [member.sha256 for member in self.members[:MAX_LOOKED_FOR]] if self.is_folder else [self.sha256 or ""]
        return self.stored and all(is_sha256(digest) and self.blobs.holds(digest) for digest in hashes)

    def target(self, folder: Path) -> Path:
        """Return the place that `restore` writes to, below a folder.

        Raises:
            UnsafePath: it would be outside the folder.
            PlaceTaken: a file is where a folder would have to be, or the other way round.
        """
        name = self.source.name if self.source is not None else self.name.replace("/", "_")
        target = safe_join(folder, name)
        if target.is_symlink():
            raise UnsafePath(f"{str(target)!r} is a link, which may lead outside of {str(folder)!r}: not restored")
        if folder.is_file() or (target.exists() and target.is_dir() != self.is_folder):
            taken = folder if folder.is_file() else target
            raise PlaceTaken(
                f"{str(taken)!r} is a {'folder' if taken.is_dir() else 'file'}: name another folder to restore to"
            )
        return target

    def is_at(self, path: Path) -> bool:
        """Return True if the file or folder at `path` has the recorded content.

        Raises:
            OSError: it can't be read.
        """
        return self.sha256 is not None and hashed(path)["sha256"] == self.sha256

    def restore(self, to: str | os.PathLike[str]) -> Path:
        """Write the content below the folder `to`, byte for byte; return the path of it.

        Raises:
            ArtifactNotFound: its content was not kept, or is damaged.
            UnsafePath: a recorded path would lead outside `to`, or can't be a name here; a folder's other files are
                written.
            PlaceTaken: a file is where a folder would have to be, or the other way round.
            OSError: it can't be written.
        """
        folder = Path(to)
        target = self.target(folder)
        alone = Member(target.name, self.size or 0, self.sha256 or "", self.executable)
        members = list(self.members) if self.is_folder else [alone]
        if self.stored:
            self.blobs.restore(members, target if self.is_folder else folder)
        else:
            self._restore_from_its_place(members, target)
        return target

    def _restore_from_its_place(self, members: list[Member], target: Path) -> None:
        """Copy a content that was not kept from where it was recorded, if it has not changed since."""
        why = f"was not kept{f' ({self.why})' if self.why else ''}"
        if self.source is None or self.sha256 is None:
            raise ArtifactNotFound(f"the content of {self.name!r} {why}, and its hash is not known")
        source = self.source
        sources = [_below(source, item) if self.is_folder else source for item in members]
        files = [(item, self._opener(item, place)) for item, place in zip(members, sources, strict=True)]
        folder = target if self.is_folder else target.parent
        restore_files(files, folder, f"{why}, and {self.path!r} is gone", f"{why}, and {self.path!r} has changed since")

    def _opener(self, member: Member, place: Path) -> Opener:
        """Return what opens a file: its content, which may be kept as another artifact's, or its place."""
        if self.blobs.holds(member.sha256):
            return partial(self.blobs.open, member.sha256)
        return partial(open_regular, place)

    def read_bytes(self) -> bytes:
        """Return the content of a file.

        Raises:
            ArtifactNotFound: it was not kept, or is a folder.
        """
        if self.is_folder or not self.stored or self.sha256 is None:
            raise ArtifactNotFound(f"{self.name!r} has no content of its own here: use restore()")
        return self.blobs.read(self.sha256, self.size)


def _members(item: Mapping[str, Any]) -> tuple[Member, ...]:
    executable, escaped = item.get("executable"), item.get("escaped_files")
    runs = frozenset(executable if isinstance(executable, list) else ())
    odd = frozenset(escaped if isinstance(escaped, list) else ())
    return tuple(Member(path, size, sha256, path in runs, path in odd) for path, size, sha256 in item.get("files", ()))


def _below(folder: Path, member: Member) -> Path:
    """Return the place of a folder's file; the folder where the path leads outside, which `restore_files` refuses."""
    try:
        return safe_join(folder, member.place)
    except UnsafePath:
        return folder
