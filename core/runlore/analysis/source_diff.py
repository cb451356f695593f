"""The difference between two states of the code, file by file."""

import difflib
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runlore.hookspecs import CapturedFile
from runlore.plugins.code import PATCH, SNAPSHOT, UNTRACKED
from runlore.plugins.manager import plugins
from runlore.provenance.source import CannotRebuild, Code, Rebuilt

LINES = 200_000  # of a file that is compared line by line
ALIKE = 0.5  # of their lines that two files share, at the least, if one counts as the other renamed
DIFF = ("diff-tree", "-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv")

FileChange = tuple[str, str | None, str | None, str | None]  # path, what a has, what b has, unified diff


@dataclass(slots=True)
class CodeDiff:
    """Source files that differ, and what could not be compared."""

    changes: list[FileChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_code(a: Code, b: Code) -> CodeDiff:
    """Compare two states of the code; git repositories are only read."""
    found = CodeDiff(notes=[*a.notes, *b.notes])
    if a.commit == b.commit and a.files == b.files:
        return found
    if a.commit or b.commit:
        try:
            found.changes += _compare_trees(a, b)
        except CannotRebuild as error:
            found.notes.append(f"code: {error}; patches and untracked files are compared instead")
        else:
            return found
    for name in (PATCH, UNTRACKED, SNAPSHOT):
        found.changes += _compare_files(a.of(name), b.of(name))
    return found


# From git


def _compare_trees(a: Code, b: Code) -> Iterator[FileChange]:
    with tempfile.TemporaryDirectory(prefix="runlore-") as place:
        trees = [Rebuilt(code, Path(place)) for code in (a, b)]
        if trees[0].root != trees[1].root and trees[0].first_commit() != trees[1].first_commit():
            raise CannotRebuild(f"{str(trees[0].root)!r} and {str(trees[1].root)!r} are different repositories")
        both = (trees[0].tree(), trees[1].tree())
        text = trees[1].git(*DIFF, "-p", *both)
        raw = trees[1].git(*DIFF, "-z", "--abbrev=64", *both)
    yield from _parse(text.decode("utf-8", "replace"), raw.decode("utf-8", "surrogateescape"))


def _parse(text: str, raw: str) -> Iterator[FileChange]:
    """Files of a raw diff, each with its part of the unified one; both are in the same order."""
    remaining = iter(re.split(r"(?m)^(?=diff --git )", text)[1:])
    fields = iter(raw.split("\0"))
    for head in fields:
        if not head:
            continue
        _, _, old, new, kind = head.split(" ")
        name = next(fields)
        if kind.startswith(("R", "C")):
            name = f"{name} → {next(fields)}"
        sides = [None if set(side) == {"0"} else side for side in (old, new)]
        pieces = [next(remaining, "") for _ in range(2 if kind.startswith("T") else 1)]  # a changed type is told in two
        part = _masked("".join(pieces))
        if not _says_nothing(part):
            yield name, sides[0], sides[1], part


def _masked(part: str) -> str:
    """The difference as it would have been captured: what is committed has its secrets in place."""
    file = CapturedFile(PATCH, part.encode("utf-8", "surrogateescape"), "code")
    return plugins().rewrite_file(file).content.decode("utf-8", "replace")


def _says_nothing(part: str) -> bool:
    """Whether, once it is masked, what was taken away is what was added."""
    lines = part.splitlines()
    sides = [[line[1:] for line in lines if line.startswith(sign) and not line.startswith(sign * 3)] for sign in "-+"]
    return bool(sides[0]) and sides[0] == sides[1]


# From what was kept


def _compare_files(a: dict[str, bytes], b: dict[str, bytes]) -> Iterator[FileChange]:
    renamed = dict(_renamed(a, b))
    for path in sorted({*a, *b} - set(renamed.values())):
        other = renamed.get(path, path)
        if a.get(path) == b.get(other) and path == other:
            continue
        sides = (a.get(path), b.get(other))
        hashes = [None if side is None else hashlib.sha256(side).hexdigest() for side in sides]
        texts = [_lines(side or b"") for side in sides]
        title = path if path == other else f"{path} → {other}"
        if max(map(len, texts)) > LINES:
            yield title, hashes[0], hashes[1], None
            continue
        names = [
            "/dev/null" if side is None else f"{letter}/{name}"
            for letter, name, side in zip("ab", (path, other), sides, strict=True)
        ]
        yield title, hashes[0], hashes[1], "".join(_ended(difflib.unified_diff(texts[0], texts[1], names[0], names[1])))


def _renamed(a: dict[str, bytes], b: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Files that one side has under another name, each once."""
    left = set(b) - set(a)
    for path in sorted(set(a) - set(b)):
        lines = _lines(a[path])
        alike = {other: difflib.SequenceMatcher(None, lines, _lines(b[other])).ratio() for other in left}
        best = max(alike, key=lambda other: (alike[other], other), default=None)
        if best is not None and alike[best] >= ALIKE:
            left.remove(best)
            yield path, best


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines(keepends=True)


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
