"""The outline of a series that grows: as many of its points as a picture needs, whatever their number."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

MAX_POINTS = 8192  # of an outline; it is halved when it has more
STEP, TIME, EPOCH, VALUE, NUMBER = range(5)  # lines of an outline: the last one counts the points of the series from 0


class Stretch(NamedTuple):
    """Points of a series in the order they were logged, all of them or an outline, as columns of equal length.

    `number` counts the points of the series from 0: where some were left out, their numbers lack.
    """

    step: "Numbers"
    time: "Numbers"  # µs since 1970
    epoch: "Numbers"  # NaN: none
    value: "Numbers"
    number: "Numbers"

    @classmethod
    def of(cls, steps: "Places", values: "Numbers", times: "Places", epochs: "Numbers") -> "Stretch":
        """Return all points of a series."""
        columns = (steps, times, epochs, values, np.arange(len(steps)))
        return cls(*(np.asarray(column, np.float64) for column in columns))

    def followed_by(self, other: "Stretch", count: int) -> "Stretch":
        """Return these points, of a series of `count` ones, and behind them those of another."""
        moved = (*other[:NUMBER], other.number + count)
        return Stretch(*(np.concatenate(pair) for pair in zip(self, moved, strict=True)))

    @property
    def whole(self) -> bool:
        """True if no point between the first and the last one was left out."""
        return not len(self.number) or len(self.number) == self.number[-1] - self.number[0] + 1


class Outline:
    """The lowest and the highest point of each bucket of a series, and the first NaN; buckets widen as it grows.

    As long as there are few points, all of them are there. The first and the last one always are.
    """

    def __init__(self) -> None:
        self.count = 0  # points of the series
        self.width = 1  # of a bucket, in points
        self._table: Numbers = np.empty((5, 0))

    def add(self, step: "Places", time: "Places", epoch: "Numbers", value: "Numbers") -> None:
        """Take the points that come next."""
        numbers = np.arange(self.count, self.count + len(step))
        self.count += len(step)
        parts = [np.asarray(column, np.float64) for column in (step, time, epoch, value, numbers)]
        self._table = np.concatenate([self._table, np.stack(parts)], axis=1)
        while self._table.shape[1] > MAX_POINTS:
            self.width *= 2
            self._table = self._table[:, _extremes(self._table[VALUE], self._table[NUMBER] // self.width)]

    def stretch(self) -> Stretch:
        """Return the points that are there."""
        return Stretch(*self._table)

    def count_within(self, line: int, begin: float | None, end: float | None) -> int:
        """Return how many of the points that are there lie between two places of a line."""
        found = self._table[line]
        low = -np.inf if begin is None else begin
        high = np.inf if end is None else end
        return int(((found >= low) & (found <= high)).sum())


def _extremes(values: "Numbers", buckets: "Numbers") -> "Places":
    """Return the places of the lowest and highest value of each bucket, of its first NaN, and of both ends."""
    order = np.lexsort((values, buckets))  # within a bucket by value; NaN come last, the first one first
    starts = np.flatnonzero(np.diff(buckets, prepend=-1.0))
    good = np.add.reduceat(~np.isnan(values), starts)  # numbers in each bucket
    sizes = np.diff(starts, append=len(values))
    chosen = [order[starts], order[(starts + good - 1)[good > 0]], order[(starts + good)[good < sizes]]]
    return np.unique(np.concatenate([*chosen, [0, len(values) - 1]]))
