"""Long series of sealed files as a process knows them: where its blocks lie along each axis, and its outline."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from runlore._process import Part, process
from runlore.log.columns import unpack_numpy
from runlore.log.long.growth import AXES, Place
from runlore.log.long.outline import Outline, Stretch
from runlore.log.points import Points
from runlore.log.reader import FREE_ROWS, Content

LEAST_POINTS = 50_000  # of a series that is worth it
MAX_SERIES = 64  # that are known at a time

Span = tuple[float, float]  # the lowest and the highest place


class Sealed(Part):
    """The long series that this process has looked at, the last one last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, Blocks] = OrderedDict()

    def forget(self) -> None:
        """Know nothing any more."""
        self._lock = threading.Lock()
        self._known = OrderedDict()

    def of(self, content: Content, key: str) -> "Blocks":
        """Return what is known of a series in a sealed file."""
        status = content.path.stat()
        place = (str(content.path), status.st_ino, status.st_size, status.st_mtime_ns, key)
        with self._lock:
            found = self._known.pop(place, None)
        found = found or Blocks(content, key)
        with self._lock:
            self._known[place] = found
            while len(self._known) > MAX_SERIES:
                self._known.popitem(last=False)
        return found


class Blocks:
    """A series block by block. `fits` is false where its steps don't rise, or a block is damaged."""

    def __init__(self, content: Content, key: str) -> None:
        self._key = key
        self._chunks: list[tuple[int, frozenset[str]]] = []
        self._spans: list[tuple[Span, ...]] = []  # of each block that has points, along each axis
        self.outline = Outline()
        self.fits = True
        last = -1
        for chunk in content.chunks or ():
            found = self._read(content, [chunk]) if key in chunk[1] else []
            for points in found:
                self.fits = bool(points.step[0] > last and (points.step[1:] > points.step[:-1]).all())
                last = int(points.step[-1])
                self._take(chunk, points)
            if not self.fits or self.outline.count > content.tallies[key].count:
                self.fits = False
                return

    def stretch(self, content: Content, place: Place, most: int) -> Stretch | None:
        """Return points that draw the series at a place, as `Growth.stretch` does; None where it does not fit."""
        axis, begin, end = place
        line = AXES.index(axis)
        if self.outline.width > 1 and self.outline.count_within(line, begin, end) < most:
            found = self._read(content, self._chosen(line, begin, end))
            return _joined(found) if found else None
        return self.outline.stretch() if self.fits else None

    def _take(self, chunk: tuple[int, frozenset[str]], points: Points) -> None:
        axes = points.step, points.time, points.epoch
        self.outline.add(*axes, points.value)
        self._chunks.append(chunk)
        self._spans.append(tuple((float(np.fmin.reduce(axis)), float(np.fmax.reduce(axis))) for axis in axes))

    def _chosen(self, line: int, begin: float | None, end: float | None) -> list[tuple[int, frozenset[str]]]:
        """Return the blocks that hold points between two places of an axis, and the next ones beyond."""
        low, high = -np.inf if begin is None else begin, np.inf if end is None else end
        spans = [span[line] for span in self._spans]
        inside = [place for place, (first, last) in enumerate(spans) if first <= high and last >= low]
        if not inside:
            return self._chunks
        return self._chunks[max(0, inside[0] - 1) : inside[-1] + 2]

    def _read(self, content: Content, chunks: list[tuple[int, frozenset[str]]]) -> list[Points]:
        """Return the points of some blocks; where one is damaged the series does not fit any more."""
        part = Content(content.path, content.ordinal, [], {}, [], chunks=chunks)
        found = list(part.points({self._key}, unpack_numpy))
        if part.damaged_blocks:
            self.fits = False
            return []
        return found


def sealed_stretch(key: str, content: Content, place: Place, most: int) -> Stretch | None:
    """Return points that draw the series of a key in a sealed file, its run's only one with the key, at a place.

    None for a short one, and where all of it has to be read.

    Raises:
        FileNotFoundError: the file was removed meanwhile.
    """
    tally = content.tallies[key]
    if not tally.exact or not LEAST_POINTS <= tally.count <= FREE_ROWS or content.damaged_blocks or content.damage:
        return None
    found = process.part(Sealed).of(content, key)
    return found.stretch(content, place, most) if found.fits else None


def _joined(blocks: list[Points]) -> Stretch:
    return Stretch.of(
        *(np.concatenate([getattr(block, name) for block in blocks]) for name in ("step", "value", "time", "epoch"))
    )
