"""Compare two states of the code, file by file."""

import difflib
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runlore.hookspecs import CapturedFile
from runlore.plugins.code import PATCH, UNTRACKED
from runlore.plugins.manager import plugins
from runlore.provenance.source import ARTIFACTS, CannotRebuild, Code, Rebuilt

MAX_LINES = 200_000  # of a file that is compared line by line
MIN_SIMILARITY = 0.5  # share of common lines from which two files count as one that was renamed
DIFF = ("diff-tree", "-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv")

FileChange = tuple[str, str | None, str | None, str | None]  # path, hash in a, hash in b, unified diff


@dataclass(slots=True)
class CodeDiff:
    """The source files that differ, and notes on what could not be compared."""

    changes: list[FileChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_code(a: Code, b: Code) -> CodeDiff:
    """Compare two states of the code; their git repositories are only read."""
    found = CodeDiff(notes=[*a.notes, *b.notes])
    if a.commit == b.commit and a.files == b.files:
        return found
    others = list(ARTIFACTS)
    if a.commit or b.commit:
        try:
            found.changes += _compare_trees(a, b)
            others = [name for name in ARTIFACTS if name not in (PATCH, UNTRACKED)]
        except CannotRebuild as error:
            found.notes.append(f"code: {error}; patches and untracked files are compared instead")
    for name in others:
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
    """Yield the files of git's raw diff, each with its part of the unified diff; both have the same order."""
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
        count = 2 if kind.startswith("T") else 1  # git shows a change of type as two parts
        pieces = [next(remaining, "") for _ in range(count)]
        part = _masked("".join(pieces))
        if not _is_masked_away(part):
            yield name, sides[0], sides[1], part


def _masked(part: str) -> str:
    """Mask the secrets in a diff as in a captured file; committed files still contain theirs."""
    file = CapturedFile(PATCH, part.encode("utf-8", "surrogateescape"), "code")
    return plugins().rewrite_file(file).content.decode("utf-8", "replace")


def _is_masked_away(part: str) -> bool:
    """Return True if a masked diff removes the same lines as it adds: only secrets differ."""
    lines = part.splitlines()
    sides = [[line[1:] for line in lines if line.startswith(sign) and not line.startswith(sign * 3)] for sign in "-+"]
    return bool(sides[0]) and sides[0] == sides[1]


# From stored files


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
        if max(map(len, texts)) > MAX_LINES:
            yield title, hashes[0], hashes[1], None
            continue
        names = [
            "/dev/null" if side is None else f"{letter}/{name}"
            for letter, name, side in zip("ab", (path, other), sides, strict=True)
        ]
        diff = difflib.unified_diff(texts[0], texts[1], names[0], names[1])
        yield title, hashes[0], hashes[1], "".join(_mark_missing_newlines(diff))


def _renamed(a: dict[str, bytes], b: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield pairs of paths, in a and in b, of files that were renamed."""
    left = set(b) - set(a)
    for path in sorted(set(a) - set(b)):
        lines = _lines(a[path])
        alike = {other: difflib.SequenceMatcher(None, lines, _lines(b[other])).ratio() for other in left}
        best = max(alike, key=lambda other: (alike[other], other), default=None)
        if best is not None and alike[best] >= MIN_SIMILARITY:
            left.remove(best)
            yield path, best


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines(keepends=True)


def _mark_missing_newlines(lines: Iterator[str]) -> Iterator[str]:
    """Add git's mark to each line that lacks its newline."""
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
