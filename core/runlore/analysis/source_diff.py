"""Compare two states of the code, file by file."""

import difflib
import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runlore.analysis.row_diff import MAX_BYTES, RowDiff, compare_rows, may_hold_rows
from runlore.hookspecs import CapturedFile
from runlore.plugins.code import PATCH, UNTRACKED
from runlore.plugins.manager import plugins
from runlore.provenance.source import ARTIFACTS, CannotRebuild, Code, Rebuilt

MAX_LINES = 200_000  # of a file that is compared line by line
MAX_STEPS = 10_000_000  # of comparing the lines of all files
MIN_SIMILARITY = 0.5  # share of common lines from which two files count as one that was renamed
ESCAPED = "backslashreplace"  # sources in other encodings than UTF-8: two bytes that differ must not look alike
DIFF = ("diff-tree", "-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv")

Hashes = tuple[str | None, str | None]  # of a file in a and in b; None where there is none


class FileChange(NamedTuple):
    """A file that differs: its hashes in a and b, the unified diff, and what became of its rows if it is data."""

    path: str
    a: str | None
    b: str | None
    diff: str | None
    rows: RowDiff | None


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

        def rows_of(path: str, sides: Hashes) -> RowDiff | None:
            return _compare_rows_in_git(path, (trees[0], sides[0]), (trees[1], sides[1]))

        yield from _parse(text.decode("utf-8", ESCAPED), raw.decode("utf-8", "surrogateescape"), rows_of)


def _parse(text: str, raw: str, rows_of: Callable[[str, Hashes], RowDiff | None]) -> Iterator[FileChange]:
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
        first, last = [None if set(side) == {"0"} else side for side in (old, new)]
        count = 2 if kind.startswith("T") else 1  # git shows a change of type as two parts
        whole = "".join(next(remaining, "") for _ in range(count))
        part = _masked(whole)
        if not _is_masked_away(whole, part):
            yield FileChange(name, first, last, part, rows_of(name, (first, last)) if count == 1 else None)


def _compare_rows_in_git(path: str, *sides: tuple[Rebuilt, str | None]) -> RowDiff | None:
    """Compare the rows of a file; None where it has none, or git can't tell."""
    if not may_hold_rows(path):
        return None
    try:
        if any(int(tree.git("cat-file", "-s", sha)) > MAX_BYTES for tree, sha in sides if sha is not None):
            return RowDiff(too_large=True)
        a, b = [None if sha is None else tree.git("cat-file", "blob", sha) for tree, sha in sides]
    except CannotRebuild:  # a submodule's commit, or a file that a partial clone lacks
        return None
    return compare_rows(path, a, b)


def _masked(part: str) -> str:
    """Mask the secrets in a diff as in a captured file; committed files still contain theirs."""
    file = CapturedFile(PATCH, part.encode("utf-8", "surrogateescape"), "code")
    return plugins().rewrite_file(file).content.decode("utf-8", ESCAPED)


def _is_masked_away(part: str, masked: str) -> bool:
    """Return True if only secrets differ: a diff removes the same lines as it adds once it is masked, and only then."""
    old, new = _sides(masked)
    return bool(old) and old == new and len(set(map(tuple, _sides(part)))) == 2


def _sides(part: str) -> list[list[str]]:
    """Return the lines that a diff removes, and those that it adds."""
    lines = part.splitlines()
    return [[line[1:] for line in lines if line.startswith(sign) and not line.startswith(sign * 3)] for sign in "-+"]


# From stored files


def _compare_files(a: dict[str, bytes], b: dict[str, bytes]) -> Iterator[FileChange]:
    effort = _Effort(MAX_STEPS)
    renamed = dict(_renamed(a, b, effort))
    for path in sorted({*a, *b} - set(renamed.values())):
        other = renamed.get(path, path)
        if a.get(path) == b.get(other) and path == other:
            continue
        sides = (a.get(path), b.get(other))
        hashes = [None if side is None else hashlib.sha256(side).hexdigest() for side in sides]
        texts = [_lines(side or b"") for side in sides]
        title = path if path == other else f"{path} → {other}"
        rows = compare_rows(title, *sides)
        if max(map(len, texts)) > MAX_LINES or not _Matching(texts[0], texts[1], effort).ends():
            yield FileChange(title, hashes[0], hashes[1], None, rows)
            continue
        names = [
            "/dev/null" if side is None else f"{letter}/{name}"
            for letter, name, side in zip("ab", (path, other), sides, strict=True)
        ]
        diff = difflib.unified_diff(texts[0], texts[1], names[0], names[1])
        yield FileChange(title, hashes[0], hashes[1], "".join(_mark_missing_newlines(diff)), rows)


def _renamed(a: dict[str, bytes], b: dict[str, bytes], effort: "_Effort") -> Iterator[tuple[str, str]]:
    """Yield pairs of paths, in a and in b, of files that were renamed."""
    left = set(b) - set(a)
    for path in sorted(set(a) - set(b)):
        lines = _lines(a[path])
        pairs = ((other, _Matching(lines, _lines(b[other]), effort)) for other in left if effort.steps > 0)
        alike = {other: matching.ratio() for other, matching in pairs if matching.ends()}
        best = max(alike, key=lambda other: (alike[other], other), default=None)
        if best is not None and alike[best] >= MIN_SIMILARITY:
            left.remove(best)
            yield path, best


@dataclass(slots=True)
class _Effort:
    """The steps that are left for comparing the files of two states, so that it ends."""

    steps: int


class _Matching(difflib.SequenceMatcher[str]):
    """Lines that are compared step by step: where many are alike, their number grows with the cube of the lines."""

    a: list[str]
    b2j: dict[str, list[int]]

    def __init__(self, a: list[str], b: list[str], effort: _Effort) -> None:
        effort.steps -= len(a) + len(b)
        self._effort = effort
        super().__init__(None, a, b)

    def ends(self) -> bool:
        """Compare the lines; return False if there are too few steps left."""
        try:
            self.get_matching_blocks()
        except _TooManySteps:
            return False
        return True

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        """Find a match as ever, if there are steps left."""
        for line in self.a[alo:ahi]:
            self._effort.steps -= 1 + len(self.b2j.get(line, ()))
        if self._effort.steps < 0:
            raise _TooManySteps
        return super().find_longest_match(alo, ahi, blo, bhi)


class _TooManySteps(Exception):
    """No steps are left."""


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", ESCAPED).splitlines(keepends=True)


def _mark_missing_newlines(lines: Iterator[str]) -> Iterator[str]:
    """Add git's mark to each line that lacks its newline."""
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
