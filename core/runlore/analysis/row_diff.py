"""Compare two states of a file of rows: how many were removed, added or changed, or only put in another order.

Files of rows are .csv, .tsv and .jsonl, and texts such as .txt and .dat whose lines look alike. Two rows are equal if
their fields are, whatever their quotes. The names of columns in the first line are no row, and a first column that only
counts the rows (0, 1, 2, …) is left out.

A row counts as *changed* if the other state has a different row with the same key. The key is the first of the leading
columns whose values are all different within each state and no fractions, and of which at least half are in both.
Without such a column, a row counts as changed if it stands in the same place between two neighbours that are equal in
both states; where the numbers of rows in such a place differ, the smaller one counts as changed, and the others as
removed or added.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from operator import ne
from pathlib import PurePosixPath
from typing import Any

from runlore._text import count_text

MAX_BYTES = 32 << 20  # of one state of a file
MAX_ROWS = 200_000  # of one state of a file
TOO_LARGE = f"too large to compare by rows: over {MAX_BYTES >> 20} MiB or {MAX_ROWS:,} rows"
TABLES = (".csv", ".tsv", ".tab")
OBJECTS = (".jsonl", ".ndjson")
TEXTS = (".txt", ".dat", ".data", ".lst", ".list", ".ids", ".labels")  # data only if their lines look alike
NO_DATA = re.compile(r"require|constraint|cmake|licen[cs]e|readme|notice|change|credits|authors", re.IGNORECASE)
LFS_POINTER = b"version https://git-lfs"  # stands in git in place of a large file
MIN_LINES = 10  # of a text that may be data
LOOKED_AT = 200  # rows that tell what a file is
KEY_COLUMNS = 4  # leading columns of which one may be the key
KEY_NAMES = ("id", "key", "name", "index", "uid", "uuid", "guid")  # lead in an object, whose keys have no order
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*|[+-]?(nan|inf|infinity)", re.IGNORECASE)

SAME_ROWS = ("shape", "dtypes", "columns", "rows_fingerprint")  # equal facts of datasets that have the same rows

Row = Sequence[str]  # its fields


@dataclass(frozen=True, slots=True)
class RowDiff:
    """The fate of the rows of a file or of a dataset; `before` and `after` are their numbers, as far as known.

    One of them alone is None for a file that is new or gone. With nothing removed, added or changed the rows are the
    same, `reordered` or not; beside other counts, `reordered` tells of the rows that both states have. Of what is
    `too_large` nothing is known.
    """

    before: int | None = None
    after: int | None = None
    removed: int = 0
    added: int = 0
    changed: int = 0
    reordered: bool = False
    too_large: bool = False

    @property
    def text(self) -> str:
        """A sentence: "200 of 1,400 rows removed, none changed"."""
        if self.too_large:
            return TOO_LARGE
        if (self.before is None) != (self.after is None):
            rows = count_text(self.after or self.before or 0, "row")
            return f"new, with {rows}" if self.before is None else f"gone, with its {rows}"
        if not (self.removed or self.added or self.changed):
            rows = "rows" if self.before is None else count_text(self.before, "row")
            return f"the same {rows} {'in another order' if self.reordered else 'written in another way'}"
        return ", ".join([*self._counts(), *(["the others in another order"] if self.reordered else [])])

    def _counts(self) -> Iterator[str]:
        of = f" of {count_text(self.before or 0, 'row')}"
        if self.removed:
            yield f"{self.removed:,}{of} removed"
        if self.changed:
            yield f"{self.changed:,}{'' if self.removed else of} changed"
        if self.added and (self.removed or self.changed):
            yield f"{self.added:,} added"
        elif self.added:
            yield f"{count_text(self.added, 'row')} added to {self.before or 0:,}"
        if not self.changed:
            yield "none changed"
        elif not (self.removed or self.added):
            yield "none removed or added"


def may_hold_rows(path: str) -> bool:
    """Return True if a file may hold rows, by its name."""
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    return suffix in (*TABLES, *OBJECTS) or (suffix in TEXTS and not NO_DATA.search(pure.name))


def compare_rows(path: str, a: bytes | None, b: bytes | None) -> RowDiff | None:
    """Compare two states of a file, None for one that is not there; None where this is no file of rows.

    Takes some seconds for two states of the largest size that is compared.
    """
    contents = [content for content in (a, b) if content is not None]
    if not may_hold_rows(path) or any(b"\0" in item[:8192] or item.startswith(LFS_POINTER) for item in contents):
        return None
    if any(len(content) > MAX_BYTES for content in contents):
        return RowDiff(too_large=True)
    kind = PurePosixPath(path).suffix.lower()
    try:
        states = _read_all(kind, [content.decode("utf-8-sig", "surrogateescape") for content in contents])
    except csv.Error:  # no table after all
        return None
    if states is None:
        return None
    if any(state.count > MAX_ROWS for state in states):
        return RowDiff(too_large=True)
    if a is None or b is None:
        (only,) = states
        return RowDiff(None if a is None else only.count, None if b is None else only.count)
    return _compare(*states)


def reordered(a: Mapping[str, Any], b: Mapping[str, Any]) -> RowDiff | None:
    """Return that two datasets have the same rows in another order; None where nothing on record says so."""
    if not a.get("rows_fingerprint") or any(a.get(key) != b.get(key) for key in SAME_ROWS):
        return None
    if a.get("order_fingerprint") == b.get("order_fingerprint"):  # another index, say
        return None
    return RowDiff(a.get("rows"), b.get("rows"), reordered=True)


# Reading


@dataclass(slots=True)
class _State:
    """The rows of one state by their hashes, and the columns that may be the key, by place."""

    whole: list[int] = field(default_factory=list)
    rest: list[int] = field(default_factory=list)  # without the first field
    keys: dict[int, list[int]] = field(default_factory=dict)
    numbered: bool = True  # the first column only counts the rows

    @property
    def count(self) -> int:
        return len(self.whole)


def _read_all(kind: str, texts: list[str]) -> list[_State] | None:
    """Read the states of a file; None where it is no file of rows."""
    if kind in TEXTS and not all(_look_alike(text) for text in texts):
        return None
    heads = [list(islice(_rows(kind, text), LOOKED_AT)) for text in texts]
    named = [_names_columns(kind, head) for head in heads]
    if len({tuple(head[0]) for head in heads if head}) == 1:  # the same first line is the same thing in both
        named = [any(named)] * len(texts)
    return [_read(_rows(kind, text), skip=int(names)) for text, names in zip(texts, named, strict=True)]


def _rows(kind: str, text: str) -> Iterator[Row]:
    """Yield the rows of a text by their fields; empty lines are none."""
    if kind in TABLES:
        first = text[: text.find("\n") + 1 or None]
        delimiter = "\t" if kind != ".csv" else max(",;\t|", key=first.count)
        yield from filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    elif kind in OBJECTS:
        for line in io.StringIO(text):
            if line.strip():
                yield _fields_of(line)
    else:
        for line in io.StringIO(text):
            if line.strip():
                yield re.split(r"[\t,;|]|\s+", line.strip())


def _fields_of(line: str) -> Row:
    """Return the leading values of an object in JSON, and the whole of it, whatever the order of its keys."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return [line.strip()]
    if not isinstance(found, dict):
        return [line.strip()]
    keys = sorted(found, key=lambda key: (key.lower() not in KEY_NAMES, key))
    return [*(str(found[key]) for key in keys[:KEY_COLUMNS]), json.dumps(found, sort_keys=True)]


def _read(rows: Iterator[Row], skip: int) -> _State:
    """Read rows behind the first `skip` lines, up to one more than are compared."""
    state = _State()
    seen: dict[int, set[int]] = {}
    start = 0
    for number, row in enumerate(islice(rows, skip, skip + MAX_ROWS + 1)):
        state.whole.append(hash(tuple(row)))
        if number == 0:
            state.keys = {place: [] for place in range(min(KEY_COLUMNS, len(row)))}
            seen = {place: set() for place in state.keys}
            start = int(row[0] == "1")
        if state.numbered:
            state.numbered = len(row) > 1 and row[0] == str(start + number)
            state.rest.append(hash(tuple(row[1:])))
        for place, found in list(state.keys.items()) if state.keys else ():
            value = row[place] if place < len(row) else ""
            known = hash(value)
            if not value or known in seen[place] or _is_fraction(value):
                del state.keys[place], seen[place]
            else:
                seen[place].add(known)
                found.append(known)
    return state


def _is_fraction(value: str) -> bool:
    return not value.isalnum() and NUMBER.fullmatch(value) is not None and not value.strip().lstrip("+-").isdecimal()


def _names_columns(kind: str, head: list[Row]) -> bool:
    """Return True if the first of some rows has the names of the columns: different words, above numbers or words."""
    if not head or kind in OBJECTS:
        return False
    first, others = head[0], head[1:]
    if len(set(first)) < len(first) or not all(first[1:]) or any(NUMBER.fullmatch(name) for name in first):
        return False
    for place in range(len(first)):
        values = [row[place] for row in others if place < len(row) and row[place]]
        if values and all(NUMBER.fullmatch(value) for value in values):
            return True
    return kind in TABLES and len(first) > 1 and first not in others


def _look_alike(text: str) -> bool:
    """Return True if the lines of a text look alike: as many fields in each, with a number, or one word in each."""
    lines = [line.strip() for line in islice(io.StringIO(text), LOOKED_AT) if line.strip()]
    if len(lines) < MIN_LINES:
        return False
    for delimiter in ("\t", ",", ";", "|", None):
        rows = [line.split(delimiter) for line in lines]
        length = len(rows[-1])
        if length > 1 and all(len(row) == length for row in rows):
            columns = zip(*rows[1:], strict=True)
            return any(all(NUMBER.fullmatch(value) for value in column) for column in columns)
    return all(len(line.split()) == 1 for line in lines)


# Comparing


def _compare(a: _State, b: _State) -> RowDiff:
    numbered = a.numbered and b.numbered and a.count > 1 < b.count
    rows = (a.rest, b.rest) if numbered else (a.whole, b.whole)
    counts = (Counter(rows[0]), Counter(rows[1]))
    gone, come = counts[0] - counts[1], counts[1] - counts[0]
    removed, added = gone.total(), come.total()
    changed = 0
    if removed and added:
        key = None if numbered else _key(a, b)
        if key is None:
            changed = _changed_in_place(*_trimmed(*rows), removed)
        else:
            old = {value for value, row in zip(a.keys[key], rows[0], strict=True) if row in gone}
            new = {value for value, row in zip(b.keys[key], rows[1], strict=True) if row in come}
            changed = len(old & new)
    alike = [[row for row in state if counts[0][row] == counts[1][row]] for state in rows]
    return RowDiff(a.count, b.count, removed - changed, added - changed, changed, reordered=alike[0] != alike[1])


def _key(a: _State, b: _State) -> int | None:
    """Return the place of the column that is the key of the rows; None where there is none."""
    for place in sorted(a.keys.keys() & b.keys.keys()):
        common = len(set(a.keys[place]).intersection(b.keys[place]))
        if 2 * common >= min(a.count, b.count):
            return place
    return None


def _trimmed(a: list[int], b: list[int]) -> tuple[list[int], list[int]]:
    """Return two lists without what is equal at their beginnings and ends."""
    length = min(len(a), len(b))
    start = next((place for place in range(length) if a[place] != b[place]), length)
    length -= start
    end = next((place for place in range(length) if a[-1 - place] != b[-1 - place]), length)
    return a[start : len(a) - end], b[start : len(b) - end]


def _changed_in_place(a: list[int], b: list[int], gone: int) -> int:
    """Count the rows that have others in their place, between equal neighbours; `gone` are those that b lacks."""
    if len(a) == len(b) and sum(map(ne, a, b)) == gone:  # nothing moved: equal rows can't be mistaken for each other
        return gone
    places = _places(a, Counter(b)), _places(b, Counter(a))
    return sum(min(length, places[1].get(place, 0)) for place, length in places[0].items())


def _places(rows: list[int], others: Counter[int]) -> dict[object, int]:
    """Return the numbers of rows that the other state lacks, by the neighbours around them.

    A neighbour is known by its hash and by how many equal rows stand before it.
    """
    seen: Counter[int] = Counter()
    common: list[tuple[int, tuple[int, int] | None]] = [(-1, None)]
    for number, row in enumerate(rows):
        if seen[row] < others[row]:
            common.append((number, (row, seen[row])))
        seen[row] += 1
    common.append((len(rows), None))
    return {
        (before, after): last - first - 1 for (first, before), (last, after) in pairwise(common) if last - first > 1
    }
