"""The series of a metric as arrays, read from the run's files at first need."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runlore.errors import MetricNotFound
from runlore.log.points import Tally
from runlore.log.reader import Content
from runlore.log.superseding import read_series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Series:
    """One metric of one run.

    `steps` (int64), `values` (float64), `times` (int64, µs since 1970) and `epochs` (float64, NaN where none was given)
    are one-dimensional arrays of equal length in the order of steps, each step once. They are read at first need and
    are a snapshot of that moment. `last`, `min`, `max` and `count` are known without reading.
    """

    def __init__(self, key: str, tally: Tally, contents: Callable[[], list[Content]]) -> None:
        self.key = key
        self.split = tally.split
        self.last = tally.last
        self.last_step = tally.last_step
        self.min = tally.min
        self.max = tally.max
        self.count = tally.count
        self._contents = contents

    @property
    def steps(self) -> "NDArray[np.int64]":
        """The steps, rising."""
        return self._arrays[0]

    @property
    def values(self) -> "NDArray[np.float64]":
        """The value at each step."""
        return self._arrays[1]

    @property
    def times(self) -> "NDArray[np.int64]":
        """The time at which each value was logged, in µs since 1970."""
        return self._arrays[2]

    @property
    def epochs(self) -> "NDArray[np.float64]":
        """The epoch of each value; NaN where none was given."""
        return self._arrays[3]

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<Series {self.key!r}: {self.count} points, last {self.last:g} at step {self.last_step}>"

    @cached_property
    def _arrays(self) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]":
        return read_series(self._contents(), self.key)


class Metrics(Mapping[str, Series]):
    """The metrics of a run by key, in alphabetical order."""

    def __init__(self, tallies: Mapping[str, Tally], contents: Callable[[], list[Content]]) -> None:
        self._series = {key: Series(key, tallies[key], contents) for key in sorted(tallies)}

    def __getitem__(self, key: str) -> Series:
        found = self._series.get(key)
        if found is None:
            close = get_close_matches(str(key), self._series, 1)
            raise MetricNotFound(
                f"no metric {key!r}"
                + (f": did you mean {close[0]!r}?" if close else f"; there are: {', '.join(self._series) or 'none'}")
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        return f"<Metrics {', '.join(self._series) or 'none'}>"
