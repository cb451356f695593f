"""Figures of plotly: their words are looked through for secrets, and their numbers put back behind that.

The search holds up all threads while it looks at a text, for seconds where that is of megabytes; numbers, which are
most of a large figure, hold no words.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FEW = 64  # numbers that stay among the words
FEW_CHARS = 1000  # of an array in base64 that stay there
PART = 10_000  # numbers that are written at once: other threads wait meanwhile
NUMBER_CHARS = 12  # about, of a number as text
_NUMBERS = frozenset({int, float, bool, type(None)})
_MARK = re.compile(r'"(numbers [0-9a-f]{8} \d+)"')


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A figure as it was at the call, in plotly's own copy; `size` is about that of its JSON, in bytes."""

    document: dict[str, Any]
    size: int


@dataclass
class Numbers:
    """The numbers of figures as JSON in parts, by the mark that stands for them among the words."""

    parts: dict[str, list[str]] = field(default_factory=dict)

    def words_of(self, figure: Snapshot) -> bytes:
        """Return the JSON of a figure with marks in place of its many numbers, which are taken in here."""
        return _plotly_json(self._cut(figure.document)).encode()

    def put_back(self, content: bytes) -> bytes:
        """Return the whole JSON of words, which may have been masked meanwhile."""
        pieces = _MARK.split(content.decode())
        pieces[1::2] = ["".join(self.parts.get(mark, [f'"{mark}"'])) for mark in pieces[1::2]]
        return "".join(pieces).encode()

    def _cut(self, value: Any) -> Any:
        if isinstance(value, dict):
            is_array = isinstance(value.get("bdata"), str) and "dtype" in value and len(value["bdata"]) > FEW_CHARS
            cut = {"bdata": self._marked(['"', value["bdata"], '"'])} if is_array else {}
            return {key: cut.get(key) or self._cut(item) for key, item in value.items()}
        if _holds_numbers(value):
            return self._marked(["[", *_parts(value), "]"])
        return [self._cut(item) for item in value] if isinstance(value, list | tuple) else value

    def _marked(self, parts: list[str]) -> str:
        mark = f"numbers {os.urandom(4).hex()} {len(self.parts)}"
        self.parts[mark] = parts
        return mark


def snapshot(figure: Any) -> Snapshot:
    """Return a copy of a figure that nobody changes."""
    document = figure.to_dict()
    return Snapshot(document, _size(document))


def _holds_numbers(value: Any) -> bool:
    """Return True for a list, or an array, of many plain numbers."""
    if isinstance(value, list | tuple):
        return len(value) > FEW and all(item.__class__ in _NUMBERS for item in value)
    return getattr(getattr(value, "dtype", None), "kind", "") in tuple("biuf") and value.size > FEW


def _parts(value: Any) -> Iterator[str]:
    """Return numbers as JSON in parts, with commas between them."""
    for begin in range(0, len(value), PART):
        yield ("," if begin else "") + _plotly_json(value[begin : begin + PART])[1:-1]


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(str(key)) + 4 + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        few = value[:1] if value and value[0].__class__ in _NUMBERS else value
        return sum(map(_size, few)) + NUMBER_CHARS * (len(value) - len(few))
    if isinstance(value, str):
        return len(value) + 2
    return NUMBER_CHARS * int(getattr(value, "size", 1))


def _plotly_json(value: Any) -> str:
    """Return a value as plotly writes it; NaN is null."""
    from importlib import import_module

    text: str = import_module("plotly.io.json").to_json_plotly(value)
    return text
