"""A metric's series as arrays, read from the run's files when it is asked for."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runlore import _columns
from runlore._points import Tally, open_block
from runlore._replay import Content
from runlore.errors import MetricNotFound, RunloreWarning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Series:
    """One metric of one run.

    `steps` (int64), `values` (float64), `times` (int64, µs since 1970) and `epochs` (float64, NaN where none was given)
    are one-dimensional arrays of equal length in the order of steps, each step once. They are read when first asked for
    and are a snapshot of that moment. `last`, `min`, `max` and `count` cost nothing.
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
        """When each value was logged, in µs since 1970."""
        return self._arrays[2]

    @property
    def epochs(self) -> "NDArray[np.float64]":
        """The epoch of each value."""
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


def read_series(
    contents: list[Content], key: str
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]":
    """Steps, values, times and epochs of a key over all writers of a run, superseded points left out."""
    import numpy as np

    steps: NDArray[np.int64] = np.empty(0, np.int64)
    times: NDArray[np.int64] = np.empty(0, np.int64)
    numbers: NDArray[np.float64] = np.empty((2, 0))  # values and epochs
    for content in contents:
        cut = content.cut_of(key)
        if cut is not None:
            kept = steps <= cut
            steps, times, numbers = steps[kept], times[kept], numbers[:, kept]
        found = _content_series(content, key)
        if found is not None:
            steps = np.concatenate([steps, found[0]])
            times = np.concatenate([times, found[1]])
            numbers = np.concatenate([numbers, found[2]], axis=1)
    if len(steps) > 1 and not (steps[1:] > steps[:-1]).all():
        _, latest = np.unique(steps[::-1], return_index=True)  # of equal steps, the one that was logged last
        chosen = len(steps) - 1 - latest
        steps, times, numbers = steps[chosen], times[chosen], numbers[:, chosen]
    return steps, numbers[0], times, numbers[1]


def _content_series(content: Content, key: str) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None":
    """Steps, times, and values with epochs, of one writer in the order they were logged."""
    import numpy as np

    blocks = list(_sealed_columns(content, key)) if content.sealed else list(_log_columns(content, key))
    if not blocks:
        return None
    position, steps, times, values, epochs = (np.concatenate(columns) for columns in zip(*blocks, strict=True))
    if not (position[1:] > position[:-1]).all():
        order = np.argsort(position, kind="stable")
        steps, times, values, epochs = steps[order], times[order], values[order], epochs[order]
    return steps, times, np.stack([values, epochs])


def _sealed_columns(content: Content, key: str) -> "Iterator[tuple[NDArray[Any], ...]]":
    for payload in content.payloads({key}):
        head, columns = open_block(payload)
        position, times, steps, epochs = (_columns.unpack_numpy(*column, head["rows"]) for column in columns[:4])
        for name, column in zip(head["keys"], columns[4:], strict=True):
            if name == key:
                yield position, steps, times, _columns.unpack_numpy(*column, head["rows"]), epochs
    if content.lost_columns:
        warnings.warn(
            f"{content.path.name}: {content.lost_columns} damaged blocks of points were left out of {key!r}",
            RunloreWarning,
            stacklevel=2,
        )


def _log_columns(content: Content, key: str) -> "Iterator[tuple[NDArray[Any], ...]]":
    import numpy as np

    for block in content.blocks({key}):
        for name, column in zip(block.keys, block.values, strict=True):
            if name == key:
                yield (
                    np.array(block.position),
                    np.array(block.step),
                    np.array(block.time),
                    np.array(column),
                    np.array(block.epoch),
                )
