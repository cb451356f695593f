"""Decide which of a run's points count: a later file cuts or replaces those of earlier ones.

The rule stands in `supersede`. It fills one of two forms: a mapping by step, for records, as these are read where numpy
would take long to import; or arrays, for series.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from runlore.errors import RunloreWarning
from runlore.log import columns
from runlore.log.points import Points, Tally, Unpack
from runlore.log.reader import Content

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


class Counting(Protocol):
    """The points of one key that count, as far as files were read."""

    def cut(self, step: int) -> None:
        """Drop the points behind a step."""

    def add(self, blocks: list[Points]) -> None:
        """Add the points of one file; a later one, by position, replaces those of the same step."""


def supersede(contents: list[Content], series: Mapping[str, Counting], unpack: Unpack) -> None:
    """Add the points of each key that count, file by file in the order of their writers.

    A file that was opened with a cut drops what earlier files have behind that step, but of keys that it spares. Of
    points with the same key and step the last one counts, by the order of files and then of rows.
    """
    for content in contents:
        opening = content.opening
        cut, spared = opening.get("cut"), frozenset(opening.get("spared") or ())
        if cut is not None:
            for key in series.keys() - spared:
                series[key].cut(cut)
        found: dict[str, list[Points]] = {}
        for points in content.points(series, unpack):
            found.setdefault(points.key, []).append(points)
        for key, blocks in found.items():
            series[key].add(blocks)


def merge_tallies(contents: list[Content]) -> dict[str, Tally]:
    """Return the tallies of a run's series; a series in which points may supersede others is read for it."""
    merged: dict[str, Tally] = {}
    doubtful: set[str] = set()
    cut = any(content.opening.get("cut") is not None for content in contents)
    for content in contents:
        for key, tally in content.tallies.items():
            if key in merged or cut or not tally.exact:
                doubtful.add(key)
            merged[key] = tally
    if doubtful:
        merged |= exact_tallies(contents, doubtful)
    return {key: tally for key, tally in merged.items() if tally.count}


def exact_tallies(contents: list[Content], keys: set[str]) -> dict[str, Tally]:
    """Return the tallies of some keys' points that count."""
    series = {key: _PointsByStep() for key in keys}
    supersede(contents, series, columns.unpack)
    return {key: points.tally() for key, points in series.items()}


def read_series(contents: list[Content], keys: Iterable[str]) -> "dict[str, Arrays]":
    """Return steps, values, times (µs) and epochs of some keys' points that count, in the order of steps.

    Each block is read once for all keys. Damaged blocks are left out, which `warn_of_losses` tells.
    """
    series = {key: _PointArrays() for key in keys}
    supersede(contents, series, columns.unpack_numpy)
    return {key: points.arrays() for key, points in series.items()}


def warn_of_losses(contents: list[Content], key: str) -> None:
    """Warn if damaged blocks of a key's points were left out when they were read."""
    for content in contents:
        lost = content.lost_blocks(key)
        if lost:
            warnings.warn(
                f"{content.path.name}: {lost} damaged blocks of points were left out of {key!r}",
                RunloreWarning,
                stacklevel=2,
            )


class _PointsByStep:
    """Points as a mapping by step."""

    def __init__(self) -> None:
        self._points: dict[int, tuple[float, int]] = {}  # value and time
        self._split: str | None = None

    def cut(self, step: int) -> None:
        self._points = {known: point for known, point in self._points.items() if known <= step}

    def add(self, blocks: list[Points]) -> None:
        rows = [row for item in blocks for row in zip(item.position, item.step, item.value, item.time, strict=True)]
        rows.sort(key=itemgetter(0))
        self._points.update({step: (value, time) for _, step, value, time in rows})
        self._split = blocks[-1].split

    def tally(self) -> Tally:
        points = self._points
        if not points:
            return Tally(self._split)
        last_step = max(points)
        numbers = [value for value, _ in points.values() if not math.isnan(value)]
        times = [time for _, time in points.values()]
        low, high = min(numbers, default=None), max(numbers, default=None)
        return Tally(self._split, len(points), points[last_step][0], last_step, low, high, True, min(times), max(times))


class _PointArrays:
    """Points as arrays, in the order of files and rows until they are asked for."""

    def __init__(self) -> None:
        import numpy as np

        self._steps: NDArray[np.int64] = np.empty(0, np.int64)
        self._times: NDArray[np.int64] = np.empty(0, np.int64)
        self._numbers: NDArray[np.float64] = np.empty((2, 0))  # values and epochs

    def cut(self, step: int) -> None:
        self._choose(self._steps <= step)

    def add(self, blocks: list[Points]) -> None:
        import numpy as np

        position, steps, times, values, epochs = (
            np.concatenate([np.asarray(getattr(block, column)) for block in blocks])
            for column in ("position", "step", "time", "value", "epoch")
        )
        numbers = np.stack([values, epochs])
        if not (position[1:] > position[:-1]).all():
            order = np.argsort(position, kind="stable")
            steps, times, numbers = steps[order], times[order], numbers[:, order]
        self._steps = np.concatenate([self._steps, steps])
        self._times = np.concatenate([self._times, times])
        self._numbers = np.concatenate([self._numbers, numbers], axis=1)

    def arrays(self) -> "Arrays":
        """Return steps, values, times and epochs in the order of steps, each step once."""
        import numpy as np

        if len(self._steps) > 1 and not (self._steps[1:] > self._steps[:-1]).all():
            _, latest = np.unique(self._steps[::-1], return_index=True)  # of equal steps the last one
            self._choose(len(self._steps) - 1 - latest)
        return self._steps, self._numbers[0], self._times, self._numbers[1]

    def _choose(self, chosen: "NDArray[np.bool_ | np.intp]") -> None:
        self._steps, self._times, self._numbers = self._steps[chosen], self._times[chosen], self._numbers[:, chosen]
